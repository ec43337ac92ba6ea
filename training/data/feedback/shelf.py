"""Rows to be of one kind: texts on disk, and for each a few numbers by which rows are chosen. Knows no rule.

About 70 bytes of memory a row.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.rows import Answer, Feedback, Pair
from training.data.steps.keys import key
from training.data.steps.spool import Spool
from training.data.steps.texts import fold as fold_anew
from training.data.steps.texts import prompt_text

TRAIN, HELD_OUT = 0, 1
# What a column's numbers take: 57 bytes a row in all.
NUMBERS = {"rater": "i", "part": "b", "side": "b", "sign": "b", "reward": "b", "length": "i", "other": "i", "fit": "d"}
NUMBERS |= {"group": "Q", "order": "Q", "line": "Q", "prompt": "Q"}
# The rows of one entry come one after another and share their texts.
fold = lru_cache(256)(fold_anew)
Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """A shelf's numbers, one of each a row.

    `group`: what was judged (case and punctuation aside), `sign` the judgement of it: 1 or −1. `order`: in which order
    rows are preferred and written, by their content alone. `line`: of the very row. `length`: characters of the
    (chosen) answer, `other` of the rejected one; `fit`: the classifier's belief in the emotion, 0.5 if unknown.
    """

    rater: Ints
    part: Ints
    side: Ints
    sign: Ints
    reward: Ints
    length: Ints
    other: Ints
    fit: Floats
    group: Keys
    order: Keys
    line: Keys
    prompt: Keys

    def with_raters(self, ranks: Ints) -> Columns:
        """The same with raters numbered anew."""
        return replace(self, rater=ranks[self.rater]) if len(self.rater) else self


class Shelf:
    """Filled row by row; then read as columns, and rows by their places."""

    def __init__(self, path: Path) -> None:
        self.spool = Spool(path)
        self._numbers: dict[str, array[Any]] = {name: array(code) for name, code in NUMBERS.items()}

    def __len__(self) -> int:
        return len(self.spool)

    def add(self, row: Feedback | Pair | Answer, *, rater: int, part: int, side: int, reward: bool) -> None:
        """Lay down a row."""
        self.spool.add(row)
        first, second, sign = _answers(row)
        before = "\0".join((row.emotion or "", str(row.intensity), row.persona))
        prompt = fold(prompt_text(row))
        judged = "\0".join((before, prompt, *sorted((fold(first), fold(second)))))
        texts = "\0".join((before, prompt_text(row), first, second, str(sign)))
        numbers: dict[str, int] = {"rater": rater, "part": part, "side": side, "sign": sign, "reward": reward}
        numbers |= {"length": len(first), "other": len(second)}
        for name, value in numbers.items():
            self._numbers[name].append(value)
        self._numbers["fit"].append(row.scores.get("fit", 0.5))
        line = "\0".join((texts, row.person, *(f"{name} {value}" for name, value in row.tags.items()), str(row.scores)))
        keys = {"group": judged, "order": texts, "line": line, "prompt": prompt}
        for name, text in keys.items():
            self._numbers[name].append(key(text, name))

    def columns(self) -> Columns:
        """All numbers; the shelf takes no more rows."""
        numbers: dict[str, Any] = {name: np.asarray(one) for name, one in self._numbers.items()}
        return Columns(**numbers)


def _answers(row: Feedback | Pair | Answer) -> tuple[str, str, int]:
    """`(answer, the rejected one or nothing, sign)`. Of a pair the sign tells which of the two, sorted, is chosen."""
    if isinstance(row, Pair):
        return row.chosen, row.rejected, 1 if fold(row.chosen) < fold(row.rejected) else -1
    if isinstance(row, Feedback):
        return row.answer, "", 1 if row.desirable else -1
    return row.answer, "", 1
