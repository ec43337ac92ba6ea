"""`shuffle` and `limit`: in which order rows come and how many. Shuffling happens on disk, by an index of offsets."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from pydantic import Field

from training.data.rows import Row
from training.data.steps.keys import key
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.spool import Spool
from training.data.steps.texts import fold, prompt_text


class Shuffle(Part):
    """All rows in an order drawn from the seed: every order is equally likely, eight bytes of memory a row."""

    step: Literal["shuffle"] = "shuffle"
    seed: int | None = Field(default=None, description="Unset: the set's seed.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        spool = Spool(context.work / "shuffle.jsonl")
        try:
            for row in rows:
                spool.add(row)
            order = array("Q", range(len(spool)))
            random.Random(context.seed if self.seed is None else self.seed).shuffle(order)
            yield from spool.read(order)
        finally:
            spool.close()


class Limit(Part):
    """The first rows, or the first of each person or prompt, so that nobody outweighs the others.

    Reading stops at the limit of a whole set, so that counts before it are of what was read.
    """

    step: Literal["limit"] = "limit"
    rows: int = Field(ge=1, description="At most so many.")
    per: Literal["set", "person", "prompt"] = Field(default="set", description="Of all, or of each.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        if self.per == "set":
            return islice(rows, self.rows)
        met: Counter[int] = Counter()

        def decide(row: Row) -> Row | str:
            name = row.person if self.per == "person" else fold(prompt_text(row))
            if not name:  # nobody in particular
                return row
            met[key(name)] += 1
            return row if met[key(name)] <= self.rows else f"over_limit_of_{self.per}"

        return each(rows, counts, decide)
