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

from training.evaluation.people.opinions import WEIGHTS, Opinion
from training.evaluation.statistics import CONFIDENCE, LEAST, Difference, Interval, difference

DRAWS = 5000


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
    drawn = [draw.choice(one, one.size).mean() - draw.choice(other, other.size).mean() for _ in range(DRAWS // 2)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    mean = float(one.mean() - other.mean())
    found = Interval(mean, float(low), float(high), min(one.size, other.size))
    whole = np.concatenate([one, other])
    shuffled = [_split(draw.permutation(whole), one.size) for _ in range(DRAWS)]
    extreme = np.count_nonzero(np.abs(shuffled) >= abs(mean) - 1e-12)
    return Difference(found, float((1 + extreme) / (DRAWS + 1)))


def of_counts(counts: Sequence[int]) -> list[float]:
    """Stars of counts of 1–5, as values for `groups`."""
    return [float(star) for star, count in enumerate(counts, 1) for _ in range(count)]


def _split(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], at: int) -> float:
    return float(values[:at].mean() - values[at:].mean())


def _weighted(criteria: Mapping[str, Sequence[int]]) -> float:
    weight = sum(WEIGHTS[name] for name in criteria)
    return sum(WEIGHTS[name] * fmean(stars) for name, stars in criteria.items()) / weight
