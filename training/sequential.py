"""Tests that may be looked at after every observation: betting on a bounded mean, and differences of two arms as such.

Whoever bets against «the mean is at most m», a fixed part of the wealth on each observation, does not expect to win if
that is so; the wealth then reaches 1/α with probability at most α, whenever one looks (Ville 1939; Waudby-Smith and
Ramdas 2023, arXiv:2010.09686, section 4.1: the capital process K_t(m) = Π(1 + λ(X_i − m))). The bettor's wealth is
spread over several λ evenly and left there (ibid., hedged and grid capital), so nothing has to be estimated.

Knows no outcomes and no arms' names. Observations must be one a person or dialogue: that is the caller's part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# Parts of the largest stake that can never ruin; small ones find small differences after many observations.
STAKES = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.55, 0.8, 0.98])
BISECTIONS = 24


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation and when it came (seconds since any moment)."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Block:
    """Observations of both arms that came one after another, at least one of each; their difference in [−1, 1]."""

    at: float
    difference: float


def evidence(values: Sequence[float] | Numbers, null: float, least: float) -> Numbers:
    """log wealth (n,) after each observation of who bets on a mean above `null`. `least`: what no value lies below."""
    given = np.asarray(values, dtype=np.float64)
    if null <= least:
        # Nothing lies below the smallest possible value: no evidence is needed, and none can be against it.
        return np.full(len(given), np.inf if null < least else 0.0)
    moved = np.log1p(np.outer(given - null, STAKES / (null - least)))
    paths = np.cumsum(moved, axis=0)
    top = paths.max(axis=1, initial=-np.inf, keepdims=True)
    found: Numbers = (top + np.log(np.exp(paths - top).mean(axis=1, keepdims=True)))[:, 0]
    return found


def shown(values: Sequence[float] | Numbers, null: float, least: float, level: float) -> int | None:
    """After how many observations a mean above `null` was shown at `level`; None: not yet. Never taken back."""
    crossed = evidence(values, null, least) >= math.log(1 / level)
    return int(np.argmax(crossed)) + 1 if crossed.any() else None


def lower(values: Sequence[float] | Numbers, level: float, least: float, most: float) -> float:
    """What the mean is shown to lie above at `level`: the lower end of the confidence sequence, at its best so far."""
    low, high = least, most
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if shown(values, middle, least, level) is None:
            high = middle
        else:
            low = middle
    return low


def upper(values: Sequence[float] | Numbers, level: float, least: float, most: float) -> float:
    """What the mean is shown to lie below at `level`."""
    return -lower(-np.asarray(values, dtype=np.float64), level, -most, -least)


def mean_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The first arm's mean minus the second's."""
    return math.fsum(ours) / len(ours) - math.fsum(theirs) / len(theirs)


def blocks(
    ours: Sequence[Seen],
    theirs: Sequence[Seen],
    differ: Callable[[Sequence[float], Sequence[float]], float] = mean_difference,
) -> list[Block]:
    """Differences between observations of two arms that came at the same time.

    A block ends as soon as it has one of each. Which observations share a block depends on their order alone, so that
    under equal arms a block's difference has mean 0 whatever was before: also when everybody's mood changes by the
    hour, since both arms meet the same hour.
    """
    order = sorted([(one.at, 0, one.value) for one in ours] + [(one.at, 1, one.value) for one in theirs])
    open_: tuple[list[float], list[float]] = ([], [])
    found: list[Block] = []
    for at, side, value in order:
        open_[side].append(value)
        if open_[0] and open_[1]:
            found.append(Block(at, differ(open_[0], open_[1])))
            open_ = ([], [])
    return found
