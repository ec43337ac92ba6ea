"""How far a rater agrees with others on what several judged. Pure numpy: votes in, a weight for each rater out.

The weights are those of the one-coin model of Dawid and Skene (Maximum Likelihood Estimation of Observer Error-Rates
Using the EM Algorithm, Applied Statistics 28, 1979), found by iterated weighted majority (Li and Yu, Error Rate Bounds
and Iterative Weighted Majority Voting for Crowdsourcing, arXiv:1411.4086): a vote weighs ln(p / (1 − p)), p the
rater's smoothed agreement with the weighted majority of the others. Nobody is compared with their own vote.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from training.data.feedback.rules import FeedbackRules
from training.data.feedback.shelf import Floats, Ints, Keys

ROUNDS = 10
# What is believed of a rater before anything is known: agrees in seven of ten, as firmly as five answers would tell.
PRIOR_AGREEMENT, PRIOR_ANSWERS = 0.7, 5.0
GREATEST = 2.0


@dataclass(frozen=True)
class Reliability:
    """By rater: the weight of a vote (1: as good as unknown), how many answers others judged too, how many of these
    judgements agree, and how many would by chance. `left_out`: raters who agree less than chance."""

    weights: Floats
    shared: Ints
    agreed: Floats
    by_chance: Floats
    left_out: Ints


def reliability(group: Keys, rater: Ints, sign: Ints, raters: int, rules: FeedbackRules) -> Reliability:
    """`group`: what was judged, `sign` 1 or −1 by `rater` (0 … raters − 1), one of each a judgement."""
    groups, who, vote = _votes(group, rater, sign)
    shared = np.bincount(who, minlength=raters)
    weights = np.ones(raters)
    agreed: Floats = np.zeros(raters)
    by_chance: Floats = np.zeros(raters)
    for _ in range(ROUNDS if len(who) else 0):
        others = _sums(groups, vote * weights[who])[groups] - vote * weights[who]
        decided = np.abs(others) > 1e-9
        majority = np.sign(others)
        shared = np.bincount(who[decided], minlength=raters)
        agreed = np.bincount(who[decided], (majority == vote)[decided], minlength=raters).astype(np.float64)
        by_chance = _by_chance(who[decided], vote[decided], majority[decided], shared)
        probability = (agreed + PRIOR_AGREEMENT * PRIOR_ANSWERS) / (shared + PRIOR_ANSWERS)
        odds = np.log(probability / (1 - probability)) / np.log(PRIOR_AGREEMENT / (1 - PRIOR_AGREEMENT))
        weights = np.clip(odds, 0.0, GREATEST)
    upper = _upper(agreed, shared, rules.inverted_certainty)
    inverted = (shared >= rules.shared_least) & (upper * shared < by_chance)
    return Reliability(weights, shared, agreed, by_chance, np.flatnonzero(inverted))


def _votes(group: Keys, rater: Ints, sign: Ints) -> tuple[Ints, Ints, Ints]:
    """One vote of a rater on each thing that two or more judged; one who said both says nothing."""
    if not len(group):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    _, groups = np.unique(group, return_inverse=True)
    pairs, where = np.unique(np.stack([groups, rater], axis=1), axis=0, return_inverse=True)
    vote = np.sign(np.bincount(where.ravel(), sign)).astype(np.int64)
    pairs, vote = pairs[vote != 0], vote[vote != 0]
    several = np.bincount(pairs[:, 0], minlength=int(groups.max()) + 1)[pairs[:, 0]] > 1
    return pairs[several, 0], pairs[several, 1], vote[several]


def _sums(groups: Ints, values: Any) -> Floats:
    sums: Floats = np.bincount(groups, values).astype(np.float64)
    return sums


def _by_chance(who: Ints, vote: Ints, majority: Floats, shared: Ints) -> Floats:
    """Agreement of two who say yes as often as these and know nothing (Cohen 1960)."""
    many = np.maximum(shared, 1)
    own = np.bincount(who, vote > 0, minlength=len(shared)) / many
    theirs = np.bincount(who, majority > 0, minlength=len(shared)) / many
    found: Floats = shared * (own * theirs + (1 - own) * (1 - theirs))
    return found


def _upper(agreed: Floats, shared: Ints, certainty: float) -> Floats:
    """Upper bound of the share of agreement (Wilson, JASA 22, 1927)."""
    z = NormalDist().inv_cdf(certainty)
    many = np.maximum(shared, 1)
    share = agreed / many
    root = np.sqrt(share * (1 - share) / many + z * z / (4 * many * many))
    upper: Floats = (share + z * z / (2 * many) + z * root) / (1 + z * z / many)
    return upper
