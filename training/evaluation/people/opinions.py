"""What one person said of one answer, whoever wrote it down: the JSON line of a feedback log. Knows no statistics.

A log needs no account of the bot: any survey can be turned into these lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storage.contracts import RatingStars
from training.data.reading.encodings import require_utf8
from training.recipes import RecipeError

WEIGHTS = {"content": 0.45, "grammar": 0.20, "structure": 0.20, "style": 0.15}
CRITERIA = tuple(WEIGHTS)


class Opinion(BaseModel):
    """One judgement. `over` makes it a pair: `system` was preferred to that other one (`tie`: neither was)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str = Field(min_length=1, description="Model or adapter that gave the answer.")
    person: str = Field(min_length=1, description="Whose judgement it is, as an opaque id.")
    answer: str = Field(default="", description="Which answer, as an id: agreement compares people on the same one.")
    stars: RatingStars | None = None
    thumb: Literal[-1, 1] | None = None
    over: str | None = Field(default=None, description="System that this one was preferred to.")
    tie: bool = Field(default=False, description="With `over`: neither was preferred.")

    def star(self, criterion: str) -> int | None:
        """Stars for a criterion."""
        value: int | None = getattr(self.stars, criterion) if self.stars else None
        return value


def read(path: Path) -> Iterator[Opinion]:
    """The opinions of a log; RecipeError names the line that is none, without quoting it."""
    require_utf8(path)
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield Opinion.model_validate_json(line)
            except ValidationError as error:
                fault = error.errors(include_input=False, include_url=False)[0]
                where = ".".join(map(str, fault["loc"]))
                raise RecipeError(
                    f"{path}:{number} is no opinion: {where + ': ' if where else ''}{fault['msg']}"
                ) from None
