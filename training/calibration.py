"""From a classifier's probabilities to decisions: temperature, one threshold a label, precision, recall, F1. Pure.

All arrays have one row a text and one column a label; `known` is False where nobody said whether the label is there.
Probabilities are as serving computes them: a softmax for one label a text, sigmoids for several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.classifier import DEFAULT_THRESHOLD
from training.data.emotions import Labelled
from training.labels import Task

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

TINY = 1e-7
COLDEST, HOTTEST = 0.2, 5.0


@dataclass(frozen=True)
class Truth:
    """What people said of texts."""

    actual: Marks
    known: Marks

    @classmethod
    def of(cls, rows: Sequence[Labelled], names: Sequence[str]) -> Truth:
        """From labelled rows."""
        actual = np.array([[name in row.labels for name in names] for row in rows], dtype=np.bool_)
        known = np.array([[name in row.known for name in names] for row in rows], dtype=np.bool_)
        return cls(actual.reshape(-1, len(names)), known.reshape(-1, len(names)))

    def only(self, chosen: Marks) -> Truth:
        """Of some rows."""
        return Truth(self.actual[chosen], self.known[chosen])


@dataclass(frozen=True)
class Scores:
    """Per label, in order."""

    precision: Numbers
    recall: Numbers
    f1: Numbers

    @property
    def macro_f1(self) -> float:
        """The mean over labels."""
        return float(self.f1.mean())


def temperature(probabilities: Numbers, truth: Truth, task: Task) -> float:
    """The T with which softmax(z / T), or σ(z / T), is the likeliest (Guo et al. 2017, arXiv:1706.04599, eq. 9).

    The negative log-likelihood is convex in 1 / T, so its slope is halved in until it is zero; 0.2 ≤ T ≤ 5.
    """
    cold, hot = 1 / HOTTEST, 1 / COLDEST
    if not len(probabilities):
        return 1.0
    logits = _logits(probabilities, task)
    for _ in range(50):
        middle = (cold + hot) / 2
        apart = _shares(logits * middle, task) - truth.actual
        slope = float((apart * logits * truth.known).sum())
        cold, hot = (middle, hot) if slope < 0 else (cold, middle)
    return 2 / (cold + hot)


def at_temperature(probabilities: Numbers, degree: float, task: Task) -> Numbers:
    """What the probabilities become when the logits are divided by `degree`."""
    return _shares(_logits(probabilities, task) / degree, task)


def surprise(probabilities: Numbers, truth: Truth, task: Task) -> float:
    """Mean negative log-likelihood, in nats: a text where it has one label, else a label."""
    right = np.log(np.clip(np.where(truth.actual, probabilities, 1 - probabilities), TINY, 1))
    counted = truth.actual if task == "single" else truth.known
    return float(-right[counted].mean())


def best_cut(probabilities: Numbers, actual: Marks) -> float:
    """The threshold with the best F1 for one label; half-way between neighbouring texts, the middle one among equals.

    The default threshold if no text carries the label.
    """
    if not actual.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    sorted_, hits = probabilities[order], np.cumsum(actual[order])
    scores = 2 * hits / (np.arange(1, len(order) + 1) + actual.sum())
    # A cut lies only between texts that differ; the last one lets everything through.
    ends = np.append(np.flatnonzero(sorted_[:-1] > sorted_[1:]), len(order) - 1)
    best = ends[scores[ends] >= scores[ends].max() - 1e-12]
    last = best[len(best) // 2]
    below = sorted_[last + 1] if last + 1 < len(order) else 0.0
    return float((sorted_[last] + below) / 2)


def thresholds(probabilities: Numbers, truth: Truth) -> Numbers:
    """The best cut of each label on the rows that know it."""
    columns = range(truth.actual.shape[1])
    return np.array(
        [best_cut(probabilities[truth.known[:, one], one], truth.actual[truth.known[:, one], one]) for one in columns]
    )


def decide(probabilities: Numbers, cuts: Numbers, task: Task) -> Marks:
    """Labels over their thresholds; of one label a text the likeliest, and none if it stays under its threshold."""
    over = probabilities >= cuts
    if task == "multi":
        return over
    likeliest = np.zeros_like(over)
    likeliest[np.arange(len(over)), probabilities.argmax(axis=1)] = True
    return over & likeliest


def crosswise(probabilities: Numbers, truth: Truth, half: Marks, task: Task) -> Marks:
    """Decisions on each half of the rows with thresholds from the other: none is judged by what it set itself."""
    decided = np.zeros_like(truth.actual)
    for side in (half, ~half):
        cuts = thresholds(probabilities[~side], truth.only(~side))
        decided[side] = decide(probabilities[side], cuts, task)
    return decided


def score(decided: Marks, truth: Truth) -> Scores:
    """Precision, recall and F1 of each label; 0 where they are not defined."""
    hits = (decided & truth.actual & truth.known).sum(axis=0).astype(np.float64)
    said = (decided & truth.known).sum(axis=0)
    there = (truth.actual & truth.known).sum(axis=0)
    return Scores(
        *(hits * factor / np.maximum(1, total) for factor, total in ((1, said), (1, there), (2, said + there)))
    )


def _logits(probabilities: Numbers, task: Task) -> Numbers:
    inner = np.clip(probabilities, TINY, 1 - TINY)
    return np.log(inner) if task == "single" else np.log(inner) - np.log1p(-inner)


def _shares(logits: Numbers, task: Task) -> Numbers:
    if task == "multi":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return shares
