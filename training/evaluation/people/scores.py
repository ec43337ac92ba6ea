"""Stars 1–5 as means, shares and a weighted total, each with an interval. Pure; knows no source of ratings.

People differ in how they give stars, so resampling is over people: all that one person said goes together. Where
only counts are known (a published table), every rating counts as another person's, and the criteria of the total as
independent; an interval from counts is therefore a lower bound of the real uncertainty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.people.opinions import CRITERIA, WEIGHTS, Opinion
from training.evaluation.statistics import CONFIDENCE, Interval

RESAMPLES = 2000
STARS = np.arange(1, 6)
# Resamples × people held at once.
AT_ONCE = 2_000_000
Counts = tuple[int, int, int, int, int]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Ratings of one criterion. `counts`: how many gave 1, 2, 3, 4, 5; `n` of intervals is people."""

    counts: Counts
    mean: Interval
    positive: Interval
    negative: Interval

    @property
    def ratings(self) -> int:
        """How many ratings there are."""
        return sum(self.counts)


@dataclass(frozen=True)
class Standing:
    """One system. `total`: weighted mean of the criteria; None with the reason in `why_no_total`.

    `positive` (3–5) and `negative` (1–2) are shares of all its ratings; `liked` the share of thumbs that are up.
    """

    system: str
    criteria: Mapping[str, Scored]
    total: Interval | None
    why_no_total: str
    positive: Interval | None
    negative: Interval | None
    liked: Interval | None


def standings(opinions: Iterable[Opinion], seed: int = 0) -> list[Standing]:
    """Every system that has stars or thumbs, in order of appearance."""
    by_system: dict[str, list[Opinion]] = defaultdict(list)
    for one in opinions:
        if one.stars is not None or one.thumb is not None:
            by_system[one.system].append(one)
    return [_standing(system, those, seed) for system, those in by_system.items()]


def of_counts(system: str, counts: Mapping[str, Sequence[int]], seed: int = 0) -> Standing:
    """A system of which only counts of 1–5 a criterion are known. ValueError if they are not five."""
    draw = np.random.default_rng(seed)
    drawn, given = [], []
    for name in counts:
        values = np.asarray(counts[name], dtype=np.float64)
        if values.shape != (5,) or (values < 0).any() or not values.sum():
            raise ValueError(f"{system}, {name}: counts must be five numbers for 1 to 5, not all 0")
        given.append(values)
        drawn.append(draw.multinomial(int(values.sum()), values / values.sum(), size=RESAMPLES))
    people = max(int(values.sum()) for values in given)
    return _summed(system, tuple(counts), np.stack(given), np.stack(drawn, axis=1).astype(np.float64), people, None)


def _standing(system: str, opinions: Sequence[Opinion], seed: int) -> Standing:
    people = {name: number for number, name in enumerate(dict.fromkeys(one.person for one in opinions))}
    stars = np.zeros((len(people), len(CRITERIA), 5))
    thumbs = np.zeros((len(people), 2))
    for one in opinions:
        person = people[one.person]
        for place, criterion in enumerate(CRITERIA):
            value = one.star(criterion)
            if value is not None:
                stars[person, place, value - 1] += 1
        if one.thumb is not None:
            thumbs[person, int(one.thumb == 1)] += 1
    named = tuple(name for place, name in enumerate(CRITERIA) if stars[:, place].any())
    stars = stars[:, [CRITERIA.index(name) for name in named]]
    drawn = resampled(np.concatenate([stars.reshape(len(people), -1), thumbs], axis=1), seed)
    liked = _interval(_up(thumbs.sum(axis=0)), _up(drawn[:, -2:]), int((thumbs.sum(axis=1) > 0).sum()))
    rated = int((stars.sum(axis=(1, 2)) > 0).sum())
    return _summed(system, named, stars.sum(axis=0), drawn[:, :-2].reshape(len(drawn), len(named), 5), rated, liked)


def resampled(rows: Numbers, seed: int) -> Numbers:
    """Sums of rows (people × numbers) over `RESAMPLES` draws of as many people with replacement."""
    draw = np.random.default_rng(seed)
    at_once = max(1, AT_ONCE // len(rows))
    even = np.full(len(rows), 1 / len(rows))
    parts = []
    for start in range(0, RESAMPLES, at_once):
        weights = draw.multinomial(len(rows), even, size=min(at_once, RESAMPLES - start))
        parts.append(weights.astype(np.float64) @ rows)
    return np.concatenate(parts)


def _summed(
    system: str, names: Sequence[str], given: Numbers, drawn: Numbers, people: int, liked: Interval | None
) -> Standing:
    """Everything from counts (criteria × 5) and their resamples (resamples × criteria × 5)."""
    criteria = {
        name: Scored(
            tuple(int(one) for one in given[place]),  # type: ignore[arg-type]
            _some(_mean(given[place]), _mean(drawn[:, place]), people),
            _some(_share(given[place], 2, 5), _share(drawn[:, place], 2, 5), people),
            _some(_share(given[place], 0, 2), _share(drawn[:, place], 0, 2), people),
        )
        for place, name in enumerate(names)
    }
    missing = [name for name in CRITERIA if name not in criteria]
    total = None
    if not missing:
        order = [names.index(name) for name in CRITERIA]
        weights = np.asarray([WEIGHTS[name] for name in CRITERIA])
        total = _interval(_mean(given[order]) @ weights, _mean(drawn[:, order]) @ weights, people)
    whole, draws = given.sum(axis=0), drawn.sum(axis=1)
    return Standing(
        system=system,
        criteria=criteria,
        total=total,
        why_no_total=f"no ratings of {', '.join(missing)}" if missing else "",
        positive=_interval(_share(whole, 2, 5), _share(draws, 2, 5), people),
        negative=_interval(_share(whole, 0, 2), _share(draws, 0, 2), people),
        liked=liked,
    )


def _mean(counts: Numbers) -> Numbers:
    """Mean stars of counts (… × 5); NaN where there are none."""
    with np.errstate(invalid="ignore"):
        found: Numbers = counts @ STARS / counts.sum(axis=-1)
    return found


def _share(counts: Numbers, start: int, end: int) -> Numbers:
    with np.errstate(invalid="ignore"):
        found: Numbers = counts[..., start:end].sum(axis=-1) / counts.sum(axis=-1)
    return found


def _up(thumbs: Numbers) -> Numbers:
    with np.errstate(invalid="ignore"):
        found: Numbers = thumbs[..., 1] / thumbs.sum(axis=-1)
    return found


def _interval(value: Numbers, drawn: Numbers, people: int) -> Interval | None:
    """Percentile interval; None where there is no rating. Resamples without one tell nothing."""
    told = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not told.size:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(told, [tail, 100 - tail])
    return Interval(float(value), float(low), float(high), people)


def _some(value: Numbers, drawn: Numbers, people: int) -> Interval:
    found = _interval(value, drawn, people)
    if found is None:
        raise ValueError("a criterion without ratings has no mean")
    return found
