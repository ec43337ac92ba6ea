"""Do somebody's thumbs go with what people in general like? For raters whose answers nobody else has judged, as in
private chats. Pure numpy: features and thumbs in, a score for each rater out.

What others like is told by a ridge logistic regression on a few features of answers, fitted without the rater: raters
are dealt into folds, and each fold is predicted from the others. A rater's thumbs and these predictions are then held
together by their covariance. If thumbs were dealt at random among the rater's own answers, it would have mean 0 and a
known variance (the permutation moments of Pitman, Significance Tests Which May be Applied to Samples from Any
Populations, Supplement to the JRSS 4, 1937), however often the rater says 👍: one who always does has a score of 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.data.feedback.shelf import Floats, Ints

FOLDS = 5
ROUNDS = 12
RIDGE = 1.0
# All raters together must go with the predictions this surely, or nothing is known of what people like.
EVIDENCE = 2.0


def scores(features: Floats, thumb: Ints, rater: Ints, folds: Ints) -> Floats:
    """Standard scores, one a rater; 0 where nothing is known. `features` is (judgements, columns), `thumb` 1 or −1,
    `folds` the fold of each rater. Who always says the same has no part in it."""
    nothing: Floats = np.zeros(len(folds))
    liked = (thumb > 0).astype(np.float64)
    both = np.isin(rater, rater[liked > 0]) & np.isin(rater, rater[liked == 0])
    features, liked, rater = features[both], liked[both], rater[both]
    if len(liked) < 2 * FOLDS:
        return nothing
    predicted = _without_oneself(_standard(features), liked, folds[rater])
    covariance, variance = _moments(predicted, liked, rater, len(folds))
    total = float(variance.sum())
    if total <= 0 or float(covariance.sum()) / total**0.5 < EVIDENCE:
        return nothing
    found: Floats = np.divide(covariance, np.sqrt(variance), out=nothing, where=variance > 0)
    return found


def _without_oneself(features: Floats, liked: Floats, fold: Ints) -> Floats:
    predicted = np.zeros(len(liked))
    for one in range(FOLDS):
        others = fold != one
        if others.any() and not others.all():
            predicted[~others] = features[~others] @ fit(features[others], liked[others])
    return predicted


def fit(features: Floats, liked: Floats) -> Floats:
    """Weights of a logistic regression, by Newton's method with a ridge; features bring their own constant."""
    weights: Floats = np.zeros(features.shape[1])
    for _ in range(ROUNDS):
        probability = 1 / (1 + np.exp(-np.clip(features @ weights, -30, 30)))
        gradient = features.T @ (liked - probability) - RIDGE * weights
        curvature = (features * (probability * (1 - probability))[:, None]).T @ features
        step = np.linalg.solve(curvature + RIDGE * np.eye(len(weights)), gradient)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-6:
            break
    return weights


def _standard(features: Floats) -> Floats:
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    whole: Floats = np.column_stack([np.ones(len(features)), scaled])
    return whole


def _moments(predicted: Floats, liked: Floats, rater: Ints, raters: int) -> tuple[Floats, Floats]:
    """By rater: Σ (thumb − its mean)(prediction − its mean), and the variance of that over all orders of the thumbs."""

    def summed(values: Any) -> Floats:
        found: Floats = np.bincount(rater, values, minlength=raters).astype(np.float64)
        return found

    count = np.maximum(np.bincount(rater, minlength=raters), 1)
    off_thumb = liked - (summed(liked) / count)[rater]
    off_prediction = predicted - (summed(predicted) / count)[rater]
    spread = summed(off_thumb**2) * summed(off_prediction**2)
    return summed(off_thumb * off_prediction), spread / np.maximum(count - 1, 1)
