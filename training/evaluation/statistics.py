"""How sure we are: bootstrap intervals and paired tests over prompts. Knows numbers, no metric.

Resampling is over prompts, since answers to one prompt are not independent; give one number a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 20
RESAMPLES = 2000
CONFIDENCE = 0.95
# Numbers that are drawn at once: memory stays small however many prompts there are.
AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval; `n` prompts."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def few(self) -> bool:
        """Whether there are too few prompts for the interval to be trusted."""
        return self.n < LEAST

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]" + (f" (only {self.n})" if self.few else "")


@dataclass(frozen=True)
class Difference:
    """One system minus another on the same prompts: interval of the mean difference, two-sided p of no difference."""

    interval: Interval
    p: float

    @property
    def verdict(self) -> str:
        """`few`, `higher`, `lower` or `same` (not told apart)."""
        if self.interval.few:
            return "few"
        if self.p < 1 - CONFIDENCE and self.interval.low > 0:
            return "higher"
        if self.p < 1 - CONFIDENCE and self.interval.high < 0:
            return "lower"
        return "same"

    def words(self, language: str = "en") -> str:
        """The verdict in a sentence, English or Russian."""
        return WORDS[language][self.verdict].format(n=self.interval.n, least=LEAST)


WORDS = {
    "en": {
        "few": "too few prompts to tell: {n}, at least {least} are needed",
        "higher": "higher",
        "lower": "lower",
        "same": "no difference that {n} prompts could show",
    },
    "ru": {
        "few": "слишком мало запросов, чтобы судить: {n}, нужно хотя бы {least}",
        "higher": "выше",
        "lower": "ниже",
        "same": "разницы, заметной на {n} запросах, нет",
    },
}


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Mean and bias-corrected accelerated bootstrap interval (Efron 1987, eq. 6.6). ValueError without values.

    Of a mean the jackknife, from which the acceleration comes, needs no resamples: its influences are the deviations
    themselves, so that the work grows with the number of values and not with its square.
    """
    given = np.asarray(values, dtype=np.float64)
    if not given.size:
        raise ValueError("no values to take an interval of")
    mean = float(given.mean())
    if given.size == 1 or np.ptp(given) <= 1e-12 * max(1.0, abs(mean)):
        return Interval(mean, mean, mean, given.size)
    from scipy.special import ndtr, ndtri

    drawn = _resampled(given, np.random.default_rng(seed))
    below = (np.count_nonzero(drawn < mean) + np.count_nonzero(drawn <= mean)) / (2 * RESAMPLES)
    bias = float(ndtri(min(max(below, 0.5 / RESAMPLES), 1 - 0.5 / RESAMPLES)))
    apart = given - mean
    acceleration = float((apart**3).sum() / (6 * (apart**2).sum() ** 1.5))
    tail = float(ndtri((1 - CONFIDENCE) / 2))
    ends = [ndtr(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in (tail, -tail)]
    low, high = np.quantile(drawn, ends)
    return Interval(mean, float(low), float(high), given.size)


def _resampled(given: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Means of `RESAMPLES` draws with replacement."""
    rows = max(1, AT_ONCE // given.size)
    parts = [
        given[random.integers(0, given.size, (min(rows, RESAMPLES - start), given.size))].mean(axis=1)
        for start in range(0, RESAMPLES, rows)
    ]
    return np.concatenate(parts)


def difference(one: Sequence[float], other: Sequence[float], seed: int = 0) -> Difference:
    """`one − other`, prompt by prompt; p by a sign-flip permutation test. ValueError if lengths differ or are 0."""
    if len(one) != len(other):
        raise ValueError(f"paired values must be of one length, not {len(one)} and {len(other)}")
    given = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    return Difference(interval(given.tolist(), seed), flipped(given.tolist(), seed))


def flipped(differences: Sequence[float], seed: int = 0, draws: int = 5000) -> float:
    """Two-sided p that differences as large come from random signs alone (Fisher 1935), with the +1 of Phipson 2010."""
    given = np.asarray(differences, dtype=np.float64)
    random = np.random.default_rng(seed)
    least, extreme = float(abs(given.sum()) - 1e-9 * np.abs(given).sum()), 0  # sums round differently by order
    for start in range(0, draws, rows := max(1, AT_ONCE // max(1, given.size))):
        signs = random.integers(0, 2, size=(min(rows, draws - start), given.size), dtype=np.int8) * 2 - 1
        extreme += int(np.count_nonzero(np.abs(signs @ given) >= least))
    return float((1 + extreme) / (draws + 1))
