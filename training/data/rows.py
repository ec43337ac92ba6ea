"""What methods learn from: one shape a kind of row, the JSON lines of every prepared set.

Readers make rows, steps change them, methods take the kinds that they can learn from. Knows no file format, tokenizer
or method.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from storage.contracts import Intensity, Turn

Filled = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """What all kinds have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str = Field(default="", description="Instructions before the dialogue; presets bring their own.")
    emotion: str | None = Field(default=None, description="Preset id that the answer is in; None: plain talk.")
    intensity: Intensity = 2
    persona: str = ""
    person: str = Field(default="", description="Whose words these are, as an opaque id: sets are split by it.")
    origin: str = Field(default="", description="Where it was read: `file.jsonl:12`.")
    scores: dict[str, float] = Field(default_factory=dict, description="Numbers that filters go by.")
    tags: dict[str, str] = Field(default_factory=dict, description="Category, outcome, model, `made_by` …")


class Answer(Row):
    """A dialogue and the answer to learn: supervised tuning. `prompt` ends with the person's turn."""

    kind: Literal["answer"] = "answer"
    prompt: tuple[Turn, ...] = Field(min_length=1)
    answer: Filled


class Pair(Row):
    """A better and a worse answer to one prompt in one emotion: DPO, SimPO, reward models."""

    kind: Literal["pair"] = "pair"
    prompt: tuple[Turn, ...] = Field(min_length=1)
    chosen: Filled
    rejected: Filled


class Feedback(Row):
    """One answer with a thumb: KTO."""

    kind: Literal["feedback"] = "feedback"
    prompt: tuple[Turn, ...] = Field(min_length=1)
    answer: Filled
    desirable: bool


class Dialogue(Row):
    """A whole dialogue, oldest turn first; a step makes answers of it."""

    kind: Literal["dialogue"] = "dialogue"
    turns: tuple[Turn, ...] = Field(min_length=1)


class Text(Row):
    """A plain text, with labels if it is to be classified."""

    kind: Literal["text"] = "text"
    text: Filled
    labels: tuple[str, ...] | None = Field(default=None, description="None: not labelled; (): none of the labels.")


AnyRow = Annotated[Answer | Pair | Feedback | Dialogue | Text, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Answer | Pair | Feedback | Dialogue | Text] = TypeAdapter(AnyRow)


def parse(line: str | bytes) -> Answer | Pair | Feedback | Dialogue | Text:
    """A row from its JSON line; pydantic's ValidationError if it is none."""
    return _ADAPTER.validate_json(line)


def dump(row: Row) -> str:
    """The JSON line of a row, defaults left out, the same bytes for the same row."""
    kept = row.model_dump_json(exclude_defaults=True)
    return f'{{"kind":"{row.kind}",{kept[1:]}' if kept != "{}" else "{}"  # type: ignore[attr-defined]
