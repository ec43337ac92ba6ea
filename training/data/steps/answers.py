"""`answers`: dialogues become answers to learn, each with the turns before it. Knows roles, no emotions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from training.data.rows import Answer, Dialogue, Row
from training.data.steps.keys import key
from training.data.steps.part import Context, Counts, Part
from training.data.steps.texts import WINDOW, fold


class Answers(Part):
    """Every answer of a dialogue (or its last one) as a row; rows of other kinds go through.

    Rows of one dialogue carry the same tag `dialogue`, so that a split keeps them on one side.
    """

    step: Literal["answers"] = "answers"
    which: Literal["every", "last"] = Field(default="every", description="Which answers of a dialogue.")
    window: int = Field(default=6, ge=1, description="At most so many turns before the answer.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        for row in rows:
            if not isinstance(row, Dialogue):
                yield row
                continue
            made = list(answers_of(row, self.window))
            if not made:
                counts.dropped["no_answer"] += 1
            else:
                counts.found["answers"] += len(made)
                counts.changed += 1
            yield from made[-1:] if self.which == "last" else made


def answers_of(row: Dialogue, window: int) -> Iterator[Answer]:
    """The assistant's turns that follow a person's, with up to `window` turns before, the first of them a person's."""
    shared = row.model_dump(include={"system", "emotion", "intensity", "persona", "person", "origin", "scores"})
    whole = f"{key(fold(chr(10).join(turn.text for turn in row.turns))):016x}"
    tags = {**row.tags, WINDOW: whole}
    for end in range(1, len(row.turns)):
        turn = row.turns[end]
        if turn.role != "assistant" or row.turns[end - 1].role != "user" or not turn.text.strip():
            continue
        before = row.turns[max(0, end - window) : end]
        while before[0].role == "assistant":
            before = before[1:]
        yield Answer(prompt=before, answer=turn.text, tags=tags, **shared)
