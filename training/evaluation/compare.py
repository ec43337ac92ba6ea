"""Systems side by side: every figure with its interval, and its difference to the first system on the same prompts.

Knows columns and values; neither how they were measured nor how a table looks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from training.evaluation import pooled
from training.evaluation.metrics.column import Absent, Column, Values
from training.evaluation.metrics.registry import Measured
from training.evaluation.samples import Sample
from training.evaluation.statistics import Difference, Interval, difference, interval

Item = TypeVar("Item")
UNMEASURED = "no answer could be measured: the prompts have no reference, or no emotion"


@dataclass(frozen=True)
class Cell:
    """A figure or why there is none; `difference`: to the first system, None for itself."""

    value: Interval | Absent
    difference: Difference | None = None


@dataclass
class Table:
    """Figures by column and system. The first system is what the others are compared with."""

    systems: list[str]
    columns: list[Column] = field(default_factory=list)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    def add(self, column: Column, cells: Mapping[str, Cell]) -> None:
        """A column with a cell for every system that has one."""
        self.columns.append(column)
        for system in self.systems:
            self.cells[column.name, system] = cells.get(system, Cell(Absent("not measured for this system")))

    def cell(self, column: str, system: str) -> Cell:
        """What stands there."""
        return self.cells[column, system]

    def as_json(self) -> dict[str, Any]:
        """`{system: {column: {mean, low, high, n, difference …}}}`."""
        return {
            system: {column.name: _plain(self.cells[column.name, system]) for column in self.columns}
            for system in self.systems
        }


def by_prompt(samples: Sequence[Sample], values: Values) -> dict[str, float]:
    """One number a prompt: the mean over its answers with other seeds; prompts without a number are left out."""
    found: dict[str, list[float]] = defaultdict(list)
    for sample, value in zip(samples, values, strict=True):
        if value is not None:
            found[sample.key].append(value)
    return {key: sum(own) / len(own) for key, own in found.items()}


def per_sample(
    samples: Mapping[str, Sequence[Sample]], measured: Mapping[str, Measured], name: str, seed: int = 0
) -> dict[str, Cell]:
    """The cells of a column that has a value a sample: bootstrap intervals and paired permutation tests."""
    numbers: dict[str, dict[str, float] | Absent] = {}
    for system, own in samples.items():
        values = measured[system].get(name, Absent("not measured"))
        numbers[system] = values if isinstance(values, Absent) else by_prompt(own, values)
    first = numbers[next(iter(numbers))]
    return {
        system: _cell(own, None if place == 0 else first, seed) for place, (system, own) in enumerate(numbers.items())
    }


def pooled_cells(
    items: Mapping[str, Mapping[str, Item] | Absent],
    figure: Callable[[Sequence[Item]], float],
    most: float = math.inf,
) -> dict[str, Cell]:
    """The cells of a figure of all answers together, at most `most`; items by the prompt's key."""
    found: dict[str, Cell] = {}
    first: Mapping[str, Item] | Absent | None = None
    for system, own in items.items():
        if isinstance(own, Absent) or not own:
            found[system] = Cell(own if isinstance(own, Absent) else Absent(UNMEASURED))
        else:
            both = [key for key in own if key in first] if first and not isinstance(first, Absent) else []
            told = None
            if both and first and not isinstance(first, Absent):
                told = pooled.difference([own[key] for key in both], [first[key] for key in both], figure)
            found[system] = Cell(pooled.interval(list(own.values()), figure, most), told)
        first = own if first is None else first
    return found


def _cell(own: dict[str, float] | Absent, first: dict[str, float] | Absent | None, seed: int) -> Cell:
    if isinstance(own, Absent):
        return Cell(own)
    if not own:
        return Cell(Absent(UNMEASURED))
    value = interval(list(own.values()), seed)
    both = [key for key in own if key in first] if isinstance(first, dict) else []
    if not both or not isinstance(first, dict):
        return Cell(value)
    return Cell(value, difference([own[key] for key in both], [first[key] for key in both], seed))


def _plain(cell: Cell) -> dict[str, Any]:
    if isinstance(cell.value, Absent):
        return {"absent": cell.value.reason}
    found: dict[str, Any] = _numbers(cell.value)
    if cell.difference is not None:
        told = cell.difference
        found["difference"] = {**_numbers(told.interval), "p": round(told.p, 6), "verdict": told.verdict}
    return found


def _numbers(value: Interval) -> dict[str, float | int]:
    return {
        "mean": round(value.mean, 6),
        "low": round(value.low, 6),
        "high": round(value.high, 6),
        "n": value.n,
    }
