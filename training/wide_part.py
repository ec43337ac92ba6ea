"""Learns the wide part of the bundled classifier: which hashes count, their weights, its share beside the network.

Knows labelled rows and a network's logits; nothing of networks themselves or of files. Needs scikit-learn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.wide import Numbers, Wide, blocks
from training.data.emotions import LABELS, Labelled

Floats = NDArray[np.float64]
# The logit of a label that no row carries: next to nothing.
NEVER = -5.0


@dataclass(frozen=True)
class Learning:
    """How weights are learned.

    `least`: texts that words, and runs of letters, must stand in. `regularisation`: C. `smoothing`: what is added to
    every count in the log-count ratios.
    """

    least: tuple[int, int] = (2, 3)
    regularisation: float = 4.0
    smoothing: float = 0.3


def fit(rows: Sequence[Labelled], masses: Sequence[float], how: Learning, labels: Sequence[str] = LABELS) -> Wide:
    """For each label the mean of two logistic regressions on rows that know it, with features as they are and scaled.

    `masses`: weights, one a row. The scale is `ratios`. Both are linear in the features, so their mean is one table.
    The network's share is 1. A label without rows for and against it keeps a bias alone. ValueError if no hash stands
    in enough texts.
    """
    made = _empty([row.text for row in rows], how.least, len(labels))
    features = table(made, [row.text for row in rows])
    weights = np.asarray(masses, dtype=np.float64)
    for column, label in enumerate(labels):
        known = np.array([label in row.known for row in rows])
        actual = np.array([label in row.labels for row in rows])[known]
        if not 0 < actual.sum() < len(actual):
            made.bias[column] = NEVER
            continue
        own, part = features[known], weights[known]
        scale = ratios(own, actual, part, how.smoothing)
        plain, plain_bias = _regress(own, actual, part, how.regularisation)
        scaled, scaled_bias = _regress(own.multiply(scale).tocsr(), actual, part, how.regularisation)
        made.weights[:, column] = (plain + scaled * scale) / 2
        made.bias[column] = (plain_bias + scaled_bias) / 2
    return made


def ratios(features: Any, actual: NDArray[np.bool_], weights: Floats, smoothing: float) -> Floats:
    """How telling each column is: |ln((p / ‖p‖₁) / (q / ‖q‖₁))| with p, q its smoothed sums over rows with and without
    the label (Wang & Manning 2012, «Baselines and Bigrams», eq. 1), brought to a mean square of 1 over the entries that
    are there, so that the regularisation stays as strong as without a scale.
    """
    with_label = np.asarray(features.T @ (weights * actual)).ravel() + smoothing
    without = np.asarray(features.T @ (weights * ~actual)).ravel() + smoothing
    found = np.abs(np.log(with_label / with_label.sum()) - np.log(without / without.sum()))
    size = float(np.sqrt(np.mean(found[features.indices] ** 2))) if features.nnz else 0.0
    return found / size if size else np.ones_like(found)


def _regress(features: Any, actual: NDArray[np.bool_], weights: Floats, regularisation: float) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=regularisation, class_weight="balanced", solver="liblinear")
    model.fit(features, actual, sample_weight=weights)
    return np.asarray(model.coef_[0]), float(model.intercept_[0])


def table(made: Wide, texts: Sequence[str]) -> Any:
    """Features of texts as serving computes them, as a sparse (texts, keys) matrix."""
    from scipy.sparse import csr_matrix

    found = [made.features(text) for text in texts]
    starts = np.cumsum([0, *(len(places) for places, _ in found)])
    values = np.concatenate([values for _, values in found])
    return csr_matrix((values, np.concatenate([places for places, _ in found]), starts), (len(texts), len(made.keys)))


@dataclass(frozen=True)
class Shares:
    """What the network's logits and the wide ones are multiplied by, and the bias of every label."""

    network: float
    wide: float
    bias: Floats

    def of(self, made: Wide) -> Wide:
        """The wide part with its share and biases in it."""
        return replace(
            made,
            weights=(made.weights * self.wide).astype(np.float32),
            bias=(made.bias * self.wide + self.bias).astype(np.float32),
            share=np.full(len(LABELS), self.network, dtype=np.float32),
        )


def shares(made: Wide, deep: NDArray[np.float32], rows: Sequence[Labelled]) -> Shares:
    """What makes the sum of logits likeliest on rows that neither part has learned.

    Logistic regression over (network's logit, wide logit, label), all labels together: two shares and a bias a label
    (stacking, Wolpert 1992). `deep`: (rows, labels), the network's logits.
    """
    from sklearn.linear_model import LogisticRegression

    broad = made.logits([row.text for row in rows])
    known = np.array([[label in row.known for label in LABELS] for row in rows])
    actual = np.array([[label in row.labels for label in LABELS] for row in rows])
    which = np.broadcast_to(np.eye(len(LABELS)), (*known.shape, len(LABELS)))
    cells = np.concatenate([deep[..., None], broad[..., None], which], axis=-1)
    model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=1000).fit(cells[known], actual[known])
    own, other, *bias = model.coef_[0].tolist()
    return Shares(own, other, np.array(bias))


def _empty(texts: Sequence[str], least: tuple[int, int], labels: int) -> Wide:
    """Hashes that stand in enough texts, with ln((1 + texts) / (1 + theirs)) + 1; weights zero."""
    counts: tuple[Counter[int], ...] = (Counter(), Counter())
    for text in texts:
        for counter, (keys, _) in zip(counts, blocks(text), strict=True):
            counter.update(keys.tolist())
    kept = {key: n for counter, few in zip(counts, least, strict=True) for key, n in counter.items() if n >= few}
    if not kept:
        raise ValueError(f"no word or run of letters stands in {least[0]} (or {least[1]}) of {len(texts)} texts")
    keys = np.array(sorted(kept), dtype=np.uint32)
    often = np.array([kept[key] for key in keys.tolist()])
    rarity: Numbers = (np.log((1 + len(texts)) / (1 + often)) + 1).astype(np.float32)
    zeros = np.zeros(labels, dtype=np.float32)
    weights = np.zeros((len(keys), labels), dtype=np.float32)
    return Wide(keys=keys, rarity=rarity, weights=weights, bias=zeros, share=zeros + 1)
