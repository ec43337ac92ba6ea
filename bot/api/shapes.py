"""Shapes of the chat endpoints: OpenAI's, with emotions beside them. What clients send more is ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from storage.contracts import Intensity

IGNORED = "Ignored: presets say how answers are drawn."


def storable(text: str) -> str:
    """A text that every database keeps as it is; ValueError at half a surrogate pair or a zero character."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("text must not have zero characters or halves of surrogate pairs")
    return text


Words = Annotated[str, AfterValidator(storable)]


class TextPart(BaseModel):
    """A part of a message's content; only text is understood."""

    type: Literal["text"]
    text: Words


class Message(BaseModel):
    """One message. `system` and `developer` messages become the answer's role (persona)."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Words | list[TextPart]

    @property
    def text(self) -> str:
        """The words."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """OpenAI's."""

    include_usage: bool = False


class CompletionRequest(BaseModel):
    """OpenAI's chat completion request, and `emotion`, `intensity`, `persona`, `candidates` of ours."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(min_length=1, max_length=200, examples=["otklik"])
    messages: list[Message] = Field(min_length=1, examples=[[{"role": "user", "content": "Меня повысили!"}]])
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=8)] | None = Field(default=None, description="Answers to choose among.")
    seed: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    stop: Annotated[str, Field(max_length=100)] | Annotated[list[str], Field(max_length=4)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="A longer answer is cut there; MODELS_MAX_NEW_TOKENS bounds it in any case."
    )
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = Field(default=None, description="The same.")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(default=None, description=IGNORED)
    top_p: Annotated[float, Field(gt=0, le=1)] | None = Field(default=None, description=IGNORED)
    user: Annotated[Words, Field(max_length=200)] | None = Field(
        default=None, description="Your name for who asks; kept, with `store`, as an opaque number."
    )
    store: bool | None = Field(default=None, description="Keep the answer, so that it can be rated.")
    emotion: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Preset id or its Russian title; unset: «auto».", examples=["joy"]
    )
    intensity: Intensity | None = Field(default=None, description="1–3; unset: the preset's.")
    persona: Annotated[Words, Field(max_length=400)] | None = Field(
        default=None, description="Who answers; unset: the system messages, of which 400 characters count."
    )
    candidates: Annotated[int, Field(ge=1, le=16)] | None = Field(
        default=None, description="Answers generated, of which the one that fits best is given."
    )

    @property
    def longest(self) -> int | None:
        """Tokens that an answer may have; None: as many as the worker gives."""
        bounds = [one for one in (self.max_tokens, self.max_completion_tokens) if one is not None]
        return min(bounds, default=None)


class AnswerMessage(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str


class Fit(BaseModel):
    """How well an answer carries the emotion, by the classifier that picks. `adapter` None: the base model."""

    emotion: str
    intensity: int
    fit: float | None = None
    fit_ok: bool | None = None
    request_id: str | None = None
    adapter: str | None = None
    crisis: bool = False


class Choice(BaseModel):
    """One answer."""

    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None
    otklik: Fit


class Usage(BaseModel):
    """Tokens. The prompt is counted where the worker is; it is 0 here."""

    prompt_tokens: int = 0
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """OpenAI's chat completion, with `otklik` in every choice."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str | None = None


class ModelCard(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "otklik"
    otklik: dict[str, Any] = {}


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
