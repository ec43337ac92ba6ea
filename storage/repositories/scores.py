"""What people thought of every model's answers: counts of marks, means with intervals, thumbs, the weighted score.

Stars are weighted content 0.45, grammar 0.20, structure 0.20, style 0.15; the score is on their scale of 1 to 5 and
counts answers on which a person gave all four. Intervals: mean ± 1.96 standard errors, of ratings (not of people).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import RatingRow, ReplyRow

WEIGHTS = {"content": 0.45, "grammar": 0.20, "structure": 0.20, "style": 0.15}
OWN = "own"
Z = 1.96


class Mean(BaseModel):
    """A mean with its 95 % interval; `counts` how often 1, 2, 3, 4, 5 were given."""

    n: int
    mean: float
    low: float
    high: float
    counts: tuple[int, ...] = ()


class Score(BaseModel):
    """One model: an adapter's id, or `own` for what the worker has by itself."""

    model: str
    ratings: int
    up: int
    down: int
    chosen: int
    corrected: int
    wrong_emotion: int
    criteria: dict[str, Mean]
    weighted: Mean | None


class _Sums:
    def __init__(self) -> None:
        self.ratings = self.up = self.down = self.chosen = self.corrected = self.wrong_emotion = 0
        self.marks: dict[str, list[int]] = {name: [0] * 5 for name in WEIGHTS}
        self.weighted: list[float] = []

    def add(self, row: RatingRow) -> None:
        said = (row.thumb, row.stars, row.preferred_over, row.correction, row.reason)
        self.ratings += any(value is not None for value in said)
        self.up += row.thumb == 1
        self.down += row.thumb == -1
        self.chosen += row.preferred_over is not None
        self.corrected += bool(row.correction)
        self.wrong_emotion += row.reason == "wrong_emotion"
        stars = {name: mark for name, mark in (row.stars or {}).items() if name in WEIGHTS and mark}
        for name, mark in stars.items():
            self.marks[name][mark - 1] += 1
        if len(stars) == len(WEIGHTS):
            self.weighted.append(sum(WEIGHTS[name] * mark for name, mark in stars.items()))

    def score(self, model: str) -> Score:
        spread = {
            name: [mark for mark, n in enumerate(counts, 1) for _ in range(n)] for name, counts in self.marks.items()
        }
        return Score(
            model=model,
            ratings=self.ratings,
            up=self.up,
            down=self.down,
            chosen=self.chosen,
            corrected=self.corrected,
            wrong_emotion=self.wrong_emotion,
            criteria={
                name: mean(values).model_copy(update={"counts": tuple(self.marks[name])})
                for name, values in spread.items()
                if values
            },
            weighted=mean(self.weighted) if self.weighted else None,
        )


async def scores(session: AsyncSession, *, chat_id: int | None = None, since: datetime | None = None) -> list[Score]:
    """Current judgements by the adapter that gave the answer, most rated first; of one chat, or since a moment."""
    query = select(RatingRow, ReplyRow.adapter).join(ReplyRow, ReplyRow.request_id == RatingRow.request_id)
    if chat_id is not None:
        query = query.where(RatingRow.chat_id == chat_id)
    if since is not None:
        query = query.where(RatingRow.updated_at >= since)
    found: dict[str, _Sums] = defaultdict(_Sums)
    result = await session.stream(query.execution_options(yield_per=1000))
    async for row, adapter in result:
        found[adapter or OWN].add(row)
        session.expunge(row)
    ranked = sorted(found.items(), key=lambda one: (-one[1].ratings, one[0]))
    return [sums.score(model) for model, sums in ranked if sums.ratings]


def mean(values: Sequence[float]) -> Mean:
    """Mean and interval of numbers; the interval of a single one is as wide as the scale."""
    n = len(values)
    middle = math.fsum(values) / n
    if n < 2:
        return Mean(n=n, mean=middle, low=1.0, high=5.0)
    error = math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (n - 1) / n)
    return Mean(n=n, mean=middle, low=max(1.0, middle - Z * error), high=min(5.0, middle + Z * error))
