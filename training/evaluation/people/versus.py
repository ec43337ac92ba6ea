"""One system against another in people's stars. Pure; knows no source of ratings.

People who rated both are compared with themselves (a paired test). Where too few did, the two groups of people are
compared as groups: two-sided permutation of who belongs to which (Fisher 1935), and bootstrap of both means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from training.evaluation.people.opinions import WEIGHTS, Opinion
from training.evaluation.statistics import CONFIDENCE, LEAST, Difference, Interval, difference

DRAWS = 5000
# Draws × people held at once.
AT_ONCE = 2_000_000
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Versus:
    """`one` minus `other` in stars, 1 to 5. `paired`: by people who rated both."""

    one: str
    other: str
    difference: Difference
    paired: bool

    def words(self, language: str = "en") -> str:
        """The verdict in a sentence; `n` counts people, of the smaller group where unpaired."""
        n = self.difference.interval.n
        if self.difference.verdict == "few":
            return FEW[language].format(n=n, least=LEAST)
        return self.difference.words(language).replace(*PEOPLE[language])


FEW = {
    "en": "too few people to tell: {n}, at least {least} are needed",
    "ru": "слишком мало людей, чтобы судить: {n}, нужно хотя бы {least}",
}
PEOPLE = {"en": ("prompts", "people"), "ru": ("запросах", "людях")}


def versus(opinions: Iterable[Opinion], one: str, other: str, seed: int = 0) -> Versus:
    """Compare two systems. ValueError where nobody gave stars to one of them."""
    told = scores(opinions)
    mine, theirs = told.get(one, {}), told.get(other, {})
    both = [person for person in mine if person in theirs]
    if len(both) >= LEAST:
        paired = difference([mine[person] for person in both], [theirs[person] for person in both], seed)
        return Versus(one, other, paired, paired=True)
    return Versus(one, other, groups(list(mine.values()), list(theirs.values()), seed), paired=False)


def scores(opinions: Iterable[Opinion]) -> dict[str, dict[str, float]]:
    """System → person → their mean stars, weighted over the criteria that they rated."""
    given: dict[str, dict[str, dict[str, list[int]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for one in opinions:
        for criterion in WEIGHTS:
            stars = one.star(criterion)
            if stars is not None:
                given[one.system][one.person][criterion].append(stars)
    return {
        system: {person: _weighted(criteria) for person, criteria in people.items()} for system, people in given.items()
    }


def groups(mine: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Difference:
    """Difference of the means of two groups; ValueError if one is empty."""
    if not mine or not theirs:
        raise ValueError("one of the systems has no ratings")
    one, other = np.asarray(mine, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    draw = np.random.default_rng(seed)
    drawn = _drawn_means(one, draw) - _drawn_means(other, draw)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    mean = float(one.mean() - other.mean())
    found = Interval(mean, float(low), float(high), min(one.size, other.size))
    shuffled = _shuffled(np.concatenate([one, other]), one.size, draw)
    extreme = np.count_nonzero(np.abs(shuffled) >= abs(mean) - 1e-12)
    return Difference(found, float((1 + extreme) / (DRAWS + 1)))


def of_counts(counts: Sequence[int]) -> list[float]:
    """Stars of counts of 1–5, as values for `groups`."""
    return [float(star) for star, count in enumerate(counts, 1) for _ in range(count)]


def _drawn_means(values: Numbers, draw: np.random.Generator) -> Numbers:
    """Means of `DRAWS` samples with replacement."""
    means = [values[draw.integers(values.size, size=(count, values.size))].mean(axis=1) for count in _parts(values)]
    return np.concatenate(means)


def _shuffled(values: Numbers, at: int, draw: np.random.Generator) -> Numbers:
    """Differences of the means of two parts in `DRAWS` random orders."""
    found = []
    for count in _parts(values):
        order = draw.permuted(np.tile(values, (count, 1)), axis=1)
        found.append(order[:, :at].mean(axis=1) - order[:, at:].mean(axis=1))
    return np.concatenate(found)


def _parts(values: Numbers) -> list[int]:
    """`DRAWS` in parts that fit into memory."""
    most = max(1, AT_ONCE // values.size)
    return [min(most, DRAWS - start) for start in range(0, DRAWS, most)]


def _weighted(criteria: Mapping[str, Sequence[int]]) -> float:
    weight = sum(WEIGHTS[name] for name in criteria)
    return sum(WEIGHTS[name] * fmean(stars) for name, stars in criteria.items()) / weight
