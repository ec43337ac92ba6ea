"""The win rate that a system would have if its answers were as long as the other's. Knows numbers, no judge.

Dubois, Galambosi, Liang, Hashimoto 2024, «Length-Controlled AlpacaEval» (arXiv:2404.04475), section 3: a logistic model
of the judge's preference q of system m over b for prompt x,

    q = σ( θ + φ · tanh( (len m(x) − len b(x)) / sd(len m − len b) ) ),

and the length-controlled win rate is the mean of q with the length term left out, here σ(θ). Their third term, the
prompt's difficulty, is estimated from the verdicts on a hundred other systems; with the few that are compared here
there is nothing to estimate it from, and it is left out.

Where one system is longer on nearly every prompt, θ and φ explain the same verdicts, and no fit can tell a better
system from a longer one: `overlap` tells that, and no figure should be shown then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation.statistics import CONFIDENCE, Interval

# Weight of the squares of θ and φ against a verdict's likelihood: weak, and enough where length decides everything.
RIDGE = 0.1
STEPS = 50
RESAMPLES = 1000
# Least share of prompts on which the system that is mostly longer is not.
LEAST_OVERLAP = 0.1
# Resamples × prompts held at once: bounds memory for ten thousand prompts.
AT_ONCE = 2_000_000

Numbers = NDArray[np.float64]


def win_rate(preferences: Sequence[float], lengths: Sequence[int], others: Sequence[int], seed: int = 0) -> Interval:
    """Length-controlled win rate in [0, 1] with a percentile bootstrap interval over prompts.

    `preferences`: 1 where the system is preferred, 0 where the other is, between for ties and split verdicts; one a
    prompt, as are the lengths of both answers in one unit. ValueError if they are none or do not match.
    """
    liked = np.asarray(preferences, dtype=np.float64)
    if not liked.size or not len(preferences) == len(lengths) == len(others):
        raise ValueError("preferences and lengths must be of one length, and some")
    longer = scaled(lengths, others)
    mean = float(fit(liked, longer, np.ones((1, liked.size)))[0, 0])
    draw = np.random.default_rng(seed)
    rows = max(1, AT_ONCE // liked.size)
    drawn: list[float] = []
    while len(drawn) < RESAMPLES:
        count = min(rows, RESAMPLES - len(drawn))
        weights = draw.multinomial(liked.size, np.full(liked.size, 1 / liked.size), size=count).astype(np.float64)
        drawn += fit(liked, longer, weights)[:, 0].tolist()
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(sigmoid(np.asarray(drawn)), [tail, 100 - tail])
    return Interval(float(sigmoid(np.asarray(mean))), float(low), float(high), liked.size)


def overlap(lengths: Sequence[int], others: Sequence[int]) -> float:
    """Share of prompts on which the mostly longer system is not longer; below `LEAST_OVERLAP` nothing can be told of
    equal lengths. 1 where all lengths are equal."""
    given = np.sign(np.asarray(lengths) - np.asarray(others))
    return 1 - float(max((given > 0).mean(), (given < 0).mean()))


def scaled(lengths: Sequence[int], others: Sequence[int]) -> Numbers:
    """tanh of the length difference in standard deviations; zeros where all differences are 0."""
    given = np.asarray(lengths, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    # Differences that are all the same have no deviation: they tell as much as θ does, so the ridge shares it out.
    unit = given.std() or float(np.abs(given).max()) or 1.0
    scaled_: Numbers = np.tanh(given / unit)
    return scaled_


def fit(liked: Numbers, longer: Numbers, weights: Numbers) -> Numbers:
    """(θ, φ) a row of weights (resamples × prompts), by Newton's method on the ridged likelihood, all rows at once."""
    seen = np.stack([np.ones_like(longer), longer], axis=1)
    found = np.zeros((len(weights), 2))
    # Where no answer is longer φ has nothing to explain, and the raw win rate is the answer: no ridge on θ.
    ridge = RIDGE * np.eye(2) if longer.any() else np.diag([1e-6, RIDGE])
    for _ in range(STEPS):
        expected = sigmoid(found @ seen.T)
        slope = (weights * (liked - expected)) @ seen - found @ ridge
        spread = weights * expected * (1 - expected)
        bend = np.einsum("rn,ni,nj->rij", spread, seen, seen, optimize=True) + ridge
        step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        # Far steps overshoot where nearly all verdicts are alike.
        found = np.clip(found + np.clip(step, -2, 2), -20, 20)
        if np.abs(step).max() < 1e-8:
            break
    return found


def sigmoid(values: Numbers) -> Numbers:
    """1 / (1 + e^−x)."""
    told: Numbers = 1 / (1 + np.exp(-values))
    return told
