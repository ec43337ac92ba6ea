"""Which of the rows on a shelf make the set: votes, habits, caps, balance. Pure numpy; rows may come in any order.

`keep` arrays hold places of rows. Every function takes some and returns fewer. Knows no texts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.data.feedback.rules import FeedbackRules
from training.data.feedback.shelf import Columns, Ints, Keys

# Edges of |ln(length of chosen / rejected)| between which pairs count as of like difference.
DIFFERENCES = (0.1, 0.25, 0.5)
# KTO's weights are kept between 1:1 and 4:3 (Ethayarajh et al. 2024, v1).
LEAST, MOST = 1.0, 4 / 3
NOTHING = 1e-9


def of_trusted(keep: Ints, columns: Columns, left_out: Ints) -> Ints:
    """Rows of raters who are believed."""
    return keep[~np.isin(columns.rater[keep], left_out)]


def two_sided(keep: Ints, columns: Columns, habits: Mapping[tuple[int, int], int], most: int) -> Ints:
    """Each rater's commoner side cut to `most` times the rarer one, plus `most`. `habits` adds judgements that are no
    rows: how many by (rater, side)."""
    rater, side = columns.rater[keep].astype(np.int64), columns.side[keep]
    raters = 1 + max([int(rater.max(initial=-1)), *(who for who, _ in habits)])
    counted = np.bincount(3 * rater + side + 1, minlength=3 * raters).reshape(raters, 3)
    for (who, which), count in habits.items():
        counted[who, which + 1] += count
    # Column 0 is side −1, column 2 side 1.
    most_of = np.where(side == 0, len(keep), most * (counted[rater, 1 - side] + 1))
    # Which of them stay is their content's choice.
    ranks = rank(np.stack([rater, side], axis=1), columns.order[keep], columns.line[keep])
    return keep[ranks < most_of]


def voted(keep: Ints, columns: Columns, weights: NDArray[np.float64], majority: float) -> tuple[Ints, int, int]:
    """One row for everything that was judged, by the weightier side; `(kept, disputed, repeated)`."""
    if not len(keep):
        return keep, 0, 0
    _, group = np.unique(columns.group[keep], return_inverse=True)
    positive = columns.sign[keep] > 0
    weight = weights[columns.rater[keep]] + NOTHING
    up = np.bincount(group, weight * positive)
    down = np.bincount(group, weight * ~positive)
    share = np.maximum(up, down) / (up + down)
    settled = share >= majority - NOTHING
    wins = (positive == (up > down)[group]) & settled[group]
    kept = keep[wins]
    first = rank(group[wins][:, None], columns.rater[kept], columns.line[kept]) == 0
    disputed = int((~settled[group]).sum())
    return kept[first], disputed, len(keep) - disputed - int(first.sum())


def capped(keep: Ints, columns: Columns, rules: FeedbackRules) -> Ints:
    """At most so many rows of each rater."""
    if not len(keep):
        return keep
    _, rater, counts = np.unique(columns.rater[keep], return_inverse=True, return_counts=True)
    most = cap(counts, rules.person_share, rules.person_least, rules.person_rows)
    return keep[rank(rater[:, None], columns.order[keep], columns.line[keep]) < most]


def cap(counts: Ints, share: float, least: int, rows: int) -> int:
    """The greatest number of rows a rater may have so that nobody has more than `share` of what is left then."""
    most = min(rows, int(counts.max()))
    while most > least:
        total = int(np.minimum(counts, most).sum())
        allowed = max(least, int(share * total))
        if most <= allowed:
            break
        most = min(most - 1, allowed)
    return max(1, min(most, rows))


def balanced_thumbs(keep: Ints, columns: Columns, most_weight: float) -> Ints:
    """The commoner side's surplus dropped, so that no weight has to be over `most_weight` for a balance of 1:1–4:3."""
    liked = columns.sign[keep] > 0
    up, down = int(liked.sum()), int((~liked).sum())
    if not up or not down:
        return keep
    most = int(down * MOST * most_weight) if up > down else int(up * LEAST * most_weight)
    ranks = rank(liked[:, None].astype(np.int64), columns.order[keep], columns.line[keep])
    kept: Ints = keep[(ranks < most) | (liked != (up > down))]
    return kept


def not_much_longer(keep: Ints, columns: Columns, ratio: float, characters: int) -> Ints:
    """Pairs whose chosen answer is not much longer than the rejected one."""
    chosen, rejected = columns.length[keep], columns.other[keep]
    kept: Ints = keep[(chosen <= ratio * rejected) | (chosen - rejected <= characters)]
    return kept


def balanced_lengths(keep: Ints, columns: Columns, share: float, least: int) -> Ints:
    """Of pairs of like difference at most `share` have the same side longer; up to `least` of a side always stay."""
    chosen, rejected = columns.length[keep], columns.other[keep]
    difference = np.log(np.maximum(chosen, 1) / np.maximum(rejected, 1))
    stratum = np.digitize(np.abs(difference), DIFFERENCES)
    side = np.sign(chosen - rejected)
    ranks = rank(np.stack([stratum, side], axis=1), columns.order[keep], columns.line[keep])
    most = np.full(len(keep), len(keep), dtype=np.int64)
    for place in range(len(DIFFERENCES) + 1):
        for which in (1, -1):
            others = int(((stratum == place) & (side == -which)).sum())
            allowed = max(least, int(others * share / (1 - share)) if share < 1 else len(keep))
            most[(stratum == place) & (side == which)] = allowed
    return keep[ranks < most]


def rank(groups: Ints, order: Ints | Keys, tie: Keys) -> Ints:
    """Each row's place (from 0) within its group (columns of `groups`), by `order`, then `tie`."""
    count = len(order)
    if not count:
        return np.zeros(0, dtype=np.int64)
    columns = [groups[:, index] for index in range(groups.shape[1])]
    by = np.lexsort((tie, order, *columns))
    same = np.ones(count - 1, dtype=bool)
    for column in columns:
        same &= column[by][1:] == column[by][:-1]
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    places = np.arange(count) - np.repeat(starts, np.diff(np.concatenate([starts, [count]])))
    ranks = np.empty(count, dtype=np.int64)
    ranks[by] = places
    return ranks
