"""Whether people agree: Krippendorff's alpha of stars, with an interval over answers. Knows no source of ratings.

Krippendorff 2011, «Computing Krippendorff's Alpha-Reliability»: 1 is full agreement, 0 what chance gives, below 0
systematic disagreement. Stars are an ordinal scale. The coefficient itself is the `krippendorff` package's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from training.evaluation.people.opinions import Opinion
from training.evaluation.statistics import CONFIDENCE, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 500
STARS = (1, 2, 3, 4, 5)


def alpha(opinions: Iterable[Opinion], criterion: str, seed: int = 0) -> Interval | str:
    """Alpha of a criterion over all systems, `n` answers that at least two people rated; or why there is none.

    Of a person's several ratings of one answer the last counts.
    """
    import numpy as np

    told: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for one in opinions:
        stars = one.star(criterion)
        if stars is not None and one.answer:
            told[one.system, one.answer][one.person] = stars
    shared = [list(people.values()) for people in told.values() if len(people) > 1]
    if not shared:
        return "no answer was rated by two people"
    counts = np.asarray([[values.count(star) for star in STARS] for values in shared], dtype=np.int64)
    if (counts.sum(axis=0) > 0).sum() < 2:
        return "everybody gave the same stars: chance and agreement cannot be told apart"
    draw = np.random.default_rng(seed)
    picks = draw.integers(len(counts), size=(RESAMPLES, len(counts)))
    drawn = [_alpha(counts[pick]) for pick in picks if (counts[pick].sum(axis=0) > 0).sum() > 1]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(_alpha(counts), float(low), float(high), len(counts))


def _alpha(counts: NDArray[np.int64]) -> float:
    import krippendorff

    return float(krippendorff.alpha(value_counts=counts, value_domain=STARS, level_of_measurement="ordinal"))
