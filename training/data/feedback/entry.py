"""The log's shape: one prompt with all its answers and what people said of them, as JSON lines and in memory.

The same for what comes from SQL and what is imported. Knows neither.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from storage.contracts import Intensity, RatingSource, RatingStars, Turn

Id = Annotated[str, Field(min_length=1, max_length=128)]


class Line(BaseModel):
    """What all parts of an entry are: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Judgement(Line):
    """What one person said of one answer. Fields that are None say nothing."""

    person: Id = Field(description="Who judges: an opaque id, not always whose dialogue it is.")
    thumb: Literal[-1, 1] | None = None
    stars: RatingStars | None = Field(default=None, description="1–5 for content, grammar, structure, style.")
    reason: str | None = Field(default=None, description="`wrong_emotion`: not the emotion that was asked for.")
    preferred_over: Id | None = Field(default=None, description="Request id of another answer to the same prompt.")
    correction: str | None = Field(default=None, description="How the person would have answered.")
    source: RatingSource = RatingSource.BUTTON
    created_at: AwareDatetime


class Option(Line):
    """A generated candidate and the picking classifier's probability that it is in the emotion."""

    text: str
    fit: float = Field(ge=0, le=1)


class Given(Line):
    """An answer that was shown."""

    request_id: Id
    text: str
    adapter: str | None = None
    fit: float | None = None
    candidates: tuple[Option, ...] = ()
    judgements: tuple[Judgement, ...] = ()


class Entry(Line):
    """One prompt in one emotion, the answers to it in the order in which they were shown, and their judgements.

    An edited question, another emotion or a dialogue that began anew is another entry.
    """

    person: Id = Field(description="Whose dialogue it is: an opaque id.")
    others: tuple[Id, ...] = Field(default=(), description="Who else speaks in the prompt, in a group.")
    prompt: tuple[Turn, ...] = Field(min_length=1, description="The dialogue window, the person's turn last.")
    emotion: str = Field(min_length=1, max_length=32, description="Preset id of the answers.")
    intensity: Intensity = 2
    persona: str = ""
    shown: Id | None = Field(default=None, description="Request id of the answer that was left on the screen.")
    answers: tuple[Given, ...] = Field(min_length=1)
    created_at: AwareDatetime = Field(description="When the first answer was asked for.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.prompt[-1].role != "user":
            raise ValueError("prompt must end with the person's turn")
        ids = [one.request_id for one in self.answers]
        if len(set(ids)) < len(ids):
            raise ValueError("request ids of an entry's answers must differ")
        return self

    def people(self) -> set[str]:
        """Everybody whose words or judgements are in the entry."""
        raters = {judgement.person for answer in self.answers for judgement in answer.judgements}
        return {self.person, *self.others, *raters}


def newest(entry: Entry) -> datetime:
    """When the last judgement of an entry came."""
    return max((one.created_at for answer in entry.answers for one in answer.judgements), default=entry.created_at)
