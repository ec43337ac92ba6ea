"""Lower bounds of mean gains over prompts, and weights that make two systems' answers equally long. Knows numbers only.

The bound is the percentile bootstrap's (Efron 1979) with resamples that depend on the number of prompts alone, and with
the quantile moved outward for small samples as Hesterberg 2015 has it (arXiv:1411.5279, the expanded percentile
interval): α′ = Φ(−√(n/(n−1)) · t_{α, n−1}). Not `statistics.interval`'s BCa: its acceleration makes a bound rise where
one prompt gets worse, while a mean with fixed weights that are not negative never does, so neither does its quantile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from training.evaluation.judging.length_control import LEAST_OVERLAP, overlap, scaled
from training.evaluation.statistics import AT_ONCE

Numbers = NDArray[np.float64]

RESAMPLES = 4000
# Matrices of resamples up to this many prompts are kept: 32 MB at most.
KEPT = 1000
# Answers whose lengths differ by less than this share of their mean count as equally long.
ALIKE = 0.1
# How far from 0 a balanced mean of length differences may stay.
UNBALANCED = 0.01


@dataclass(frozen=True)
class Gain:
    """A column of gains, (n,), NaN where unknown, with a weight a prompt, and the one-sided level of its bound."""

    values: Numbers
    level: float
    weights: Numbers | None = None

    def masses(self) -> Numbers:
        """Weights with 0 where the value is unknown."""
        given = np.ones(len(self.values)) if self.weights is None else self.weights
        return np.where(np.isnan(self.values), 0.0, given)


@dataclass(frozen=True)
class Bound:
    """Weighted mean of a gain; its lower bound (−inf for fewer than two prompts); `n` prompts that had a weight, worth
    `effective` equally weighted ones (Kish 1965)."""

    mean: float
    low: float
    n: int
    effective: float


def bounds(gains: Sequence[Gain]) -> list[Bound]:
    """Bounds of columns over the same prompts, resampled together. All columns must be of one length."""
    if not gains:
        return []
    masses = np.stack([one.masses() for one in gains], axis=1)
    values = np.nan_to_num(np.stack([one.values for one in gains], axis=1)) * masses
    count = len(masses)
    drawn = np.concatenate([_means(part, values, masses) for part in _resamples(count)]) if count else values
    return [
        _bound(values[:, place].sum(), masses[:, place], drawn[:, place], one.level) for place, one in enumerate(gains)
    ]


def _means(part: Numbers, values: Numbers, masses: Numbers) -> Numbers:
    under = part @ masses
    found: Numbers = (part @ values) / np.where(under > 0, under, np.inf)
    return found


def _bound(total: float, masses: Numbers, drawn: Numbers, level: float) -> Bound:
    known = int(np.count_nonzero(masses))
    if known < 2:
        return Bound(float(total / masses.sum()) if known else float("nan"), -float("inf"), known, float(known))
    effective = float(masses.sum() ** 2 / (masses**2).sum())
    place = int(np.floor(expanded(level, effective) * len(drawn)))
    low = float(np.partition(drawn, place)[place])
    return Bound(float(total / masses.sum()), low, known, effective)


@lru_cache(maxsize=4096)
def expanded(level: float, count: float) -> float:
    """The quantile of resampled means that bounds a mean of `count` values at `level`."""
    from scipy.stats import norm, t

    count = max(2.0, count)
    return float(norm.cdf(np.sqrt(count / (count - 1)) * t.ppf(level, count - 1)))


def _resamples(count: int) -> Iterator[Numbers]:
    """How often every resample draws every prompt, in blocks of (some, count)."""
    if count <= KEPT:
        yield _kept(count)
        return
    random = np.random.default_rng(count)
    left = RESAMPLES
    while left:
        rows = min(left, max(1, AT_ONCE // count))
        yield random.multinomial(count, np.full(count, 1 / count), size=rows).astype(np.float64)
        left -= rows


@lru_cache(maxsize=4)
def _kept(count: int) -> Numbers:
    random = np.random.default_rng(count)
    return random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)


def equal_length(lengths: Numbers, others: Numbers, least: float) -> Numbers | None:
    """Weights of prompts, mean 1, under which neither system's answers are longer; None if there are none such.

    Of all weights with mean 0 of both «which is longer» (differences under a tenth are none) and the length term of
    Dubois et al. 2024 (`length_control.scaled`), those nearest to equal ones: entropy balancing, Hainmueller 2012,
    eq. 6–8. They depend on lengths alone, so that a preference, once weighted, still counts the way it points; the
    fitted win rate of `length_control` has no such sign. None where one system is longer nearly everywhere, or where
    the weighted prompts are worth fewer than `least`: longer and better cannot be told apart then.
    """
    apart = lengths - others
    side = np.where(np.abs(apart) > ALIKE * (lengths + others) / 2, np.sign(apart), 0.0)
    if not side.any():
        return np.ones(len(side)) if len(side) >= least else None
    if overlap(side.tolist(), [0] * len(side)) < LEAST_OVERLAP:
        return None
    features = np.stack([side, scaled(lengths.tolist(), others.tolist())], axis=1)
    found = balanced(features)
    if found is None or 1 / (found**2).sum() < least:
        return None
    return found * len(found)


def balanced(features: Numbers, steps: int = 60) -> Numbers | None:
    """Weights (n,) that sum to 1, of the least Kullback–Leibler distance from equal ones, under which the columns of
    `features` (n, k) have mean 0; None if there are none. Newton's method on the convex dual."""
    slope = np.zeros(features.shape[1])
    weights = np.full(len(features), 1 / len(features))
    for _ in range(steps):
        mean = weights @ features
        if np.abs(mean).max() < 1e-9:
            break
        spread = (features * weights[:, None]).T @ features - np.outer(mean, mean)
        step = np.linalg.solve(spread + 1e-9 * np.eye(len(mean)), mean)
        slope = slope - step * min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))
        raised = features @ slope
        weights = np.exp(raised - raised.max())
        weights /= weights.sum()
    return weights if np.abs(weights @ features).max() < UNBALANCED else None
