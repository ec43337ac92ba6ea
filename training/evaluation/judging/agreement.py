"""How far a judge can be trusted: does it favour a place, does it say the same again. Pure; knows no judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from training.evaluation.judging.criteria import Criteria
from training.evaluation.judging.running import Answered
from training.evaluation.statistics import Interval, interval

# Decision of a verdict: 1 `one` wins, 0 a tie, −1 `other` wins.
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Consistency:
    """Shares in [0, 1] with intervals over prompts; None where nothing could be compared.

    `flipped`: of the questions asked in both orders, those whose winner changes with the order. `unstable`: those whose
    decision changes at all, ties included. `first`: how the judge likes the answer shown first (0.5: no bias).
    `again`: of repeats at another seed in the same order, those that decide the same.
    """

    flipped: Interval | None
    unstable: Interval | None
    first: Interval | None
    again: Interval | None


def consistency(answered: Sequence[Answered], criteria: Criteria, seed: int = 0) -> Consistency:
    """Position bias and self-agreement of all verdicts that were asked for, on the weighted total."""
    orders: dict[Place, dict[bool, int]] = defaultdict(dict)
    repeats: dict[tuple[str, int, bool], dict[int, int]] = defaultdict(dict)
    liked: dict[str, list[float]] = defaultdict(list)
    for each in answered:
        values = each.values()
        if values is None or each.same:
            continue
        question, total = each.question, criteria.total(values)
        key, turn = question.one.key, question.one.seed
        decided = decision(total)
        orders[key, turn, question.repeat][question.swapped] = decided
        repeats[key, turn, question.swapped][question.repeat] = decided
        liked[key].append(1 - total if question.swapped else total)
    both = {place: (said[False], said[True]) for place, said in orders.items() if len(said) == 2}
    return Consistency(
        flipped=_share({place: one * other == -1 for place, (one, other) in both.items()}, seed),
        unstable=_share({place: one != other for place, (one, other) in both.items()}, seed),
        first=interval([fmean(values) for values in liked.values()], seed) if liked else None,
        again=_agreement(repeats, seed),
    )


def decision(total: float) -> int:
    """1, 0 or −1 for a total above, at or below one half."""
    return (total > 0.5 + 1e-9) - (total < 0.5 - 1e-9)


def _share(found: Mapping[Place, bool], seed: int) -> Interval | None:
    """Share that is true, one number a prompt."""
    prompts: dict[str, list[float]] = defaultdict(list)
    for (prompt, _, _), value in found.items():
        prompts[prompt].append(float(value))
    return interval([fmean(values) for values in prompts.values()], seed) if prompts else None


def _agreement(repeats: Mapping[tuple[str, int, bool], Mapping[int, int]], seed: int) -> Interval | None:
    prompts: dict[str, list[float]] = defaultdict(list)
    for (prompt, _, _), said in repeats.items():
        prompts[prompt] += [float(one == other) for one, other in combinations(said.values(), 2)]
    shares = [fmean(values) for values in prompts.values() if values]
    return interval(shares, seed) if shares else None
