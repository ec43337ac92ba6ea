"""What a report shows first: the headline figure, the best system, and examples, each by a rule and never by hand.

Pure: figures and samples in, choices out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.evaluation.compare import Cell, Table, by_prompt
from training.evaluation.metrics.column import Absent, Column
from training.evaluation.metrics.registry import Measured
from training.evaluation.samples import Sample
from training.evaluation.statistics import Difference, Interval, difference

# The first of these that was measured for every system is what the report begins with.
HEADLINES = ("emotion_hit", "bertscore", "chrf", "rougeL", "rouge1")
# Where examples are ordered by a finer figure than the headline's yes or no.
FINER = {"emotion_hit": "emotion_p"}


@dataclass(frozen=True)
class Result:
    """The headline: `best` against the first system, and against the next best one where there is one.

    `best` was chosen of `compared` systems after seeing their figures, so its p is to be multiplied by that number
    (Bonferroni), as `corrected` does.
    """

    column: Column
    best: str
    value: Interval
    base: Interval
    over_base: Difference | None
    second: str | None = None
    over_second: Difference | None = None
    compared: int = 1

    @property
    def corrected(self) -> float | None:
        """p of the best against the first system, for having looked at so many."""
        return None if self.over_base is None else min(1.0, self.over_base.p * self.compared)


@dataclass(frozen=True)
class Shown:
    """An example: a prompt's place by key, and what each system scored there."""

    key: str
    scores: Mapping[str, float | None]


def headline(table: Table) -> Column | None:
    """The figure that a report begins with; None if none of them was measured."""
    measured = {column.name: column for column in table.columns}
    for name in HEADLINES:
        if name in measured and not any(isinstance(table.cell(name, one).value, Absent) for one in table.systems):
            return measured[name]
    return None


def result(
    table: Table, samples: Mapping[str, Sequence[Sample]], values: Mapping[str, Measured], seed: int = 0
) -> Result | None:
    """The best system but the first by the headline's mean; None without a headline or another system."""
    column = headline(table)
    if column is None or len(table.systems) < 2:
        return None
    cells = {name: table.cell(column.name, name) for name in table.systems}
    order = sorted(table.systems[1:], key=lambda name: -_mean(cells[name]))
    best, second = order[0], order[1] if len(order) > 1 else None
    return Result(
        column,
        best,
        _value(cells[best]),
        _value(cells[table.systems[0]]),
        cells[best].difference,
        second,
        None if second is None else _between(best, second, column.name, samples, values, seed),
        len(order),
    )


def _between(
    one: str,
    other: str,
    column: str,
    samples: Mapping[str, Sequence[Sample]],
    values: Mapping[str, Measured],
    seed: int,
) -> Difference | None:
    sides = []
    for name in (one, other):
        own = values[name].get(column, Absent("not measured"))
        sides.append({} if isinstance(own, Absent) else by_prompt(samples[name], own))
    both = [key for key in sides[0] if key in sides[1]]
    return difference([sides[0][key] for key in both], [sides[1][key] for key in both], seed) if both else None


def _value(cell: Cell) -> Interval:
    if isinstance(cell.value, Absent):
        raise ValueError("the headline is measured for every system")
    return cell.value


def _mean(cell: Cell) -> float:
    return _value(cell).mean


def scored(column: Column, samples: Mapping[str, Sequence[Sample]], values: Mapping[str, Measured]) -> list[Shown]:
    """Every prompt that the first system answered, in its order, with each system's score there."""
    name = FINER.get(column.name, column.name)
    found: dict[str, dict[str, float]] = {}
    for system, own in samples.items():
        measured = values[system].get(name, Absent("not measured"))
        found[system] = {} if isinstance(measured, Absent) else by_prompt(own, measured)
    keys = dict.fromkeys(sample.key for sample in next(iter(samples.values())))
    return [Shown(key, {system: own.get(key) for system, own in found.items()}) for key in keys]


def examples(shown: Sequence[Shown], count: int) -> dict[str, list[Shown]]:
    """`first`: the first prompts; `worst`: the lowest mean of all systems but the first; `apart`: the largest
    difference between two systems. A prompt is shown once, under the first rule that takes it; ties go by order."""
    found = {"first": list(shown[:count])}
    taken = {one.key for one in found["first"]}
    for name, order in (("worst", _low), ("apart", _apart)):
        ranked = [(value, one) for one in shown if one.key not in taken and (value := order(one)) is not None]
        found[name] = [one for _, one in sorted(ranked, key=lambda pair: pair[0])[:count]]
        taken |= {one.key for one in found[name]}
    return found


def _low(one: Shown) -> float | None:
    scores = [score for score in list(one.scores.values())[1:] if score is not None]
    return sum(scores) / len(scores) if scores else None


def _apart(one: Shown) -> float | None:
    scores = [score for score in one.scores.values() if score is not None]
    return min(scores) - max(scores) if len(scores) > 1 else None
