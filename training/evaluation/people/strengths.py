"""Which system is stronger, from pairs: Bradley–Terry strengths on the Elo scale. Knows names and scores, no source.

Bradley and Terry 1952: P(i beats j) = σ(θi − θj). Fitted by choix (Maystre and Grossglauser 2015, I-LSR); ties and
split verdicts count as parts of a win for each side (Hunter 2004 treats them so). Elo = 1000 + 400·θ / ln 10, around
a mean of 1000, so that 400 points are odds of ten to one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.evaluation.statistics import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIDDLE, SCALE = 1000.0, 400 / math.log(10)
# Every two systems start with a tenth of a win each: one that never lost stays finite.
PRIOR = 0.1
RESAMPLES = 300


@dataclass(frozen=True)
class Duel:
    """One comparison. `score`: 1 where `one` was preferred, 0 where `other` was, 0.5 for a tie.

    `cluster`: who or what it depends on (a person, a prompt); resampling is over these.
    """

    one: str
    other: str
    score: float
    cluster: str


@dataclass(frozen=True)
class Strength:
    """A system's Elo with its interval (`n` clusters), and how many comparisons it took part in."""

    system: str
    elo: Interval
    duels: int


class Unconnected(ValueError):
    """Some systems were never compared, not even through others: no scale holds them all."""


def strengths(duels: Sequence[Duel], seed: int = 0) -> list[Strength]:
    """Systems by strength, the strongest first. Unconnected, or ValueError without any comparison."""
    import numpy as np

    duels = [duel for duel in duels if duel.one != duel.other]
    if not duels:
        raise ValueError("no two different systems were compared")
    systems = sorted({name for duel in duels for name in (duel.one, duel.other)})
    _connected(systems, duels)
    wins = _wins(systems, duels)
    clusters, size = len(wins), len(systems)
    means = _elo(wins.sum(axis=0))
    draw = np.random.default_rng(seed)
    weights = draw.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)
    matrices = (weights @ wins.reshape(clusters, -1)).reshape(RESAMPLES, size, size)
    drawn = np.stack([_elo(matrix) for matrix in matrices])
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    found = [
        Strength(
            name,
            Interval(float(means[place]), float(low[place]), float(high[place]), clusters),
            sum(name in (duel.one, duel.other) for duel in duels),
        )
        for place, name in enumerate(systems)
    ]
    return sorted(found, key=lambda one: -one.elo.mean)


def chance(one: float, other: float) -> float:
    """Probability that a system of Elo `one` is preferred to one of Elo `other`."""
    return 1 / (1 + math.exp((other - one) / SCALE))


def _wins(systems: Sequence[str], duels: Sequence[Duel]) -> NDArray[np.float64]:
    """Clusters × systems × systems: how often the row's system was preferred to the column's."""
    import numpy as np

    place = {name: number for number, name in enumerate(systems)}
    cluster = {name: number for number, name in enumerate(dict.fromkeys(duel.cluster for duel in duels))}
    wins = np.zeros((len(cluster), len(systems), len(systems)))
    for duel in duels:
        where, one, other = cluster[duel.cluster], place[duel.one], place[duel.other]
        wins[where, one, other] += duel.score
        wins[where, other, one] += 1 - duel.score
    return wins


def _elo(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    import choix
    import numpy as np

    prior = PRIOR * (1 - np.eye(len(wins)))
    found: NDArray[np.float64] = MIDDLE + SCALE * choix.ilsr_pairwise_dense(wins + prior, max_iter=1000, tol=1e-6)
    return found


def _connected(systems: Sequence[str], duels: Sequence[Duel]) -> None:
    group = {name: name for name in systems}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for duel in duels:
        group[root(duel.one)] = root(duel.other)
    groups: dict[str, list[str]] = {}
    for name in systems:
        groups.setdefault(root(name), []).append(name)
    if len(groups) > 1:
        told = " | ".join(", ".join(names) for names in groups.values())
        raise Unconnected(f"these systems were never compared with each other, not even through others: {told}")
