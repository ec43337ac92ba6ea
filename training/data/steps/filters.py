"""Steps that keep or drop a row by itself: `answered`, `score`, `fraction`, `profanity`, `tag`, `outcome`.

No step here remembers earlier rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from training.data.cleaning import profane
from training.data.rows import Dialogue, Pair, Row, Text
from training.data.steps.keys import below
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.texts import Which, answers, fold, prompt_text, turns, words

# Letters, digits or pictographs: «😢» is an answer, «…» is none.
_SAYS = re.compile("[\\w\u2600-\u27bf\U0001f300-\U0001faff]")
Missing = Literal["drop", "keep"]


class Answered(Part):
    """Drops questions without an answer and answers without words; a dialogue loses the question that it ends with."""

    step: Literal["answered"] = "answered"

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        return each(rows, counts, answered)


class Score(Part):
    """Keeps rows by a number that came with them: `field: opus_score, min: 9`."""

    step: Literal["score"] = "score"
    field: str = Field(min_length=1, description="Name among a row's scores.")
    min: float | None = Field(default=None, description="Least number that stays.")
    max: float | None = Field(default=None, description="Greatest number that stays.")
    missing: Missing = Field(default="drop", description="What happens to rows without this score.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is over max {self.max:g}")
        return self

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        def decide(row: Row) -> Row | str:
            value = row.scores.get(self.field)
            if value is None:
                return row if self.missing == "keep" else f"no_{self.field}"
            if self.min is not None and value < self.min:
                return "below_min"
            return "above_max" if self.max is not None and value > self.max else row

        return each(rows, counts, decide)


class Fraction(Part):
    """Keeps a share of all prompts by a stable hash, all rows of a prompt or none.

    Shares are nested: the prompts of 10 % are among those of 20 %, so that learning curves compare like with like.
    """

    step: Literal["fraction"] = "fraction"
    share: float = Field(gt=0, le=1, description="0.1 for ten per cent.")
    salt: str = Field(default="fraction", description="Another salt draws other prompts.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        def decide(row: Row) -> Row | str:
            return row if below(fold(prompt_text(row)), self.share, self.salt) else "outside_fraction"

        return each(rows, counts, decide)


class Profanity(Part):
    """Drops rows with profanity, slurs, sex or politics in the texts looked at."""

    step: Literal["profanity"] = "profanity"
    of: Which = Field(default="all", description="Which texts are looked at.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        def decide(row: Row) -> Row | str:
            return "profane" if any(profane(text) for text in words(row, self.of)) else row

        return each(rows, counts, decide)


class Tag(Part):
    """Keeps or drops rows by a tag: `name: category, keep: [Доставка]`."""

    step: Literal["tag"] = "tag"
    name: str = Field(min_length=1, description="Name among a row's tags.")
    keep: tuple[str, ...] = Field(default=(), description="Only these values; empty: all that `drop` leaves.")
    drop: tuple[str, ...] = Field(default=(), description="Never these values.")
    missing: Missing = Field(default="drop", description="What happens to rows without this tag.")

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if not self.keep and not self.drop:
            raise ValueError("give keep, drop or both")
        return self

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        keep, drop = {fold(one) for one in self.keep}, {fold(one) for one in self.drop}

        def decide(row: Row) -> Row | str:
            if self.name not in row.tags:
                return row if self.missing == "keep" else f"no_{self.name}"
            value = fold(row.tags[self.name])
            return f"other_{self.name}" if value in drop or (keep and value not in keep) else row

        return each(rows, counts, decide)


class Outcome(Part):
    """Keeps support cases that ended as wanted."""

    step: Literal["outcome"] = "outcome"
    keep: Literal["success", "failure"] = Field(default="success", description="How the case ended.")
    missing: Missing = Field(default="drop", description="What happens to rows without an outcome.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        return Tag(name="outcome", keep=(self.keep,), missing=self.missing).apply(rows, counts, context)


def answered(row: Row) -> Row | str:
    """The row, a dialogue without the questions at its end, or why it teaches no answer."""
    if isinstance(row, Text):
        return row if _SAYS.search(row.text) else "no_words"
    if isinstance(row, Dialogue):
        return _with_answer(row)
    if not turns(row) or not _SAYS.search(turns(row)[-1].text):
        return "no_question"
    if not all(_SAYS.search(text) for text in answers(row)):
        return "no_answer"
    if isinstance(row, Pair) and fold(row.chosen) == fold(row.rejected):
        return "same_answers"
    return row


def _with_answer(row: Dialogue) -> Row | str:
    kept = list(row.turns)
    while kept and (kept[-1].role == "user" or not _SAYS.search(kept[-1].text)):
        kept.pop()
    if not any(turn.role == "user" and _SAYS.search(turn.text) for turn in kept):
        return "no_answer" if not kept else "no_question"
    return row if len(kept) == len(row.turns) else row.model_copy(update={"turns": tuple(kept)})
