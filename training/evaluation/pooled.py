"""Intervals for figures that belong to all answers together and to none alone: distinct n-grams, perplexity.

By the grouped jackknife: the figure is computed again without each of 20 groups of prompts. (Resampling with
replacement repeats answers, which alone lowers distinct n-grams.) Knows no metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from training.evaluation.statistics import Difference, Interval

Item = TypeVar("Item")
GROUPS = 20
NORMAL = 1.959964


def interval(items: Sequence[Item], figure: Callable[[Sequence[Item]], float], most: float = math.inf) -> Interval:
    """The figure of all items, one item a prompt, with its 95 % interval, cut at 0 and at `most`. ValueError
    without items."""
    if not items:
        raise ValueError("no items to take a figure of")
    value = figure(items)
    found = _around(value, _error([figure(part) for part in _without(items)]), len(items))
    return replace(found, low=max(0.0, found.low), high=min(most, found.high))


def difference(one: Sequence[Item], other: Sequence[Item], figure: Callable[[Sequence[Item]], float]) -> Difference:
    """`one − other`, items of the same prompts in the same order left out together; p from the normal distribution."""
    if len(one) != len(other) or not one:
        raise ValueError(f"paired items must be of one length, not {len(one)} and {len(other)}")
    mean = figure(one) - figure(other)
    error = _error([figure(a) - figure(b) for a, b in zip(_without(one), _without(other), strict=True)])
    p = math.erfc(abs(mean) / error / math.sqrt(2)) if error else float(mean == 0)
    return Difference(_around(mean, error, len(one)), p)


def _around(value: float, error: float, count: int) -> Interval:
    return Interval(value, value - NORMAL * error, value + NORMAL * error, count)


def _error(left_out: Sequence[float]) -> float:
    """Standard error (Tukey 1958): √((g − 1) / g · Σ(θᵢ − θ̄)²)."""
    count = len(left_out)
    if count < 2:
        return 0.0
    mean = sum(left_out) / count
    return math.sqrt((count - 1) / count * sum((one - mean) ** 2 for one in left_out))


def _without(items: Sequence[Item]) -> list[list[Item]]:
    groups = min(GROUPS, len(items))
    if groups < 2:
        return []
    return [[item for index, item in enumerate(items) if index % groups != group] for group in range(groups)]
