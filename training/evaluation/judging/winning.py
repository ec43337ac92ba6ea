"""What verdicts say of two systems: win rates by criterion, raw and length-controlled. Pure; knows no judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from training.evaluation.judging.agreement import Consistency, consistency
from training.evaluation.judging.criteria import Criteria
from training.evaluation.judging.length_control import LEAST_OVERLAP, overlap, win_rate
from training.evaluation.judging.running import Answered
from training.evaluation.statistics import Difference, Interval, difference, interval

TOTAL = "total"


@dataclass(frozen=True)
class Compared:
    """One system against another by a judge. Win rates are shares in [0, 1] of `one`, ties count half.

    `total` weighs the criteria; `controlled` is the same with length left out; `better` is its paired test against
    one half. None where no prompt got a verdict; `controlled` also where `overlap`, the share of prompts on which the
    mostly longer system is not longer, is too small to tell length from merit.
    """

    one: str
    other: str
    criteria: str
    prompts: int
    by_criterion: Mapping[str, Interval]
    total: Interval | None
    controlled: Interval | None
    better: Difference | None
    wins: int
    ties: int
    losses: int
    one_length: float
    other_length: float
    overlap: float
    judged: int
    unparsable: int
    too_long: int
    consistency: Consistency


def preferences(answered: Sequence[Answered], criteria: Criteria) -> dict[str, dict[str, float]]:
    """Prompt → criterion (and `total`) → preference for the first system: mean over orders, repeats and seeds.

    Repeats are averaged within an order and the orders then, so that an order that lacks a verdict more often does not
    bend the mean; a prompt with verdicts in one order only keeps that order's.
    """
    told: dict[str, dict[tuple[int, bool], list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for one in answered:
        values = one.values()
        if values is not None:
            place = (one.question.one.seed, one.question.swapped)
            told[one.question.one.key][place].append({**values, TOTAL: criteria.total(values)})
    names = (*criteria.ids, TOTAL)
    return {
        prompt: {name: fmean(fmean(each[name] for each in those) for those in orders.values()) for name in names}
        for prompt, orders in told.items()
    }


def compared(answered: Sequence[Answered], criteria: Criteria, seed: int = 0) -> Compared:
    """Sum up the verdicts on one pair of systems. ValueError without any question."""
    if not answered:
        raise ValueError("nothing was asked: the systems share no prompt")
    liked = preferences(answered, criteria)
    totals = [values[TOTAL] for values in liked.values()]
    lengths = _lengths(answered)
    mine, theirs = ([lengths[prompt][side] for prompt in liked] for side in (0, 1))
    told = overlap(mine, theirs) if liked else 0.0
    first = answered[0].question
    states = [one.given.state for one in answered]
    return Compared(
        one=first.one.system,
        other=first.other.system,
        criteria=criteria.name,
        prompts=len(lengths),
        by_criterion={name: interval([one[name] for one in liked.values()], seed) for name in criteria.ids}
        if liked
        else {},
        total=interval(totals, seed) if totals else None,
        controlled=win_rate(totals, mine, theirs, seed) if told >= LEAST_OVERLAP else None,
        better=difference(totals, [0.5] * len(totals), seed) if totals else None,
        wins=sum(value > 0.5 + 1e-9 for value in totals),
        ties=sum(abs(value - 0.5) <= 1e-9 for value in totals),
        losses=sum(value < 0.5 - 1e-9 for value in totals),
        one_length=fmean(one for one, _ in lengths.values()),
        other_length=fmean(other for _, other in lengths.values()),
        overlap=told,
        judged=states.count("judged"),
        unparsable=states.count("unparsable"),
        too_long=states.count("too_long"),
        consistency=consistency(answered, criteria, seed),
    )


def _lengths(answered: Sequence[Answered]) -> dict[str, tuple[int, int]]:
    """Prompt → characters of both answers, mean over seeds: tokens of two systems are not one unit."""
    seen: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for each in answered:
        one, other = each.question.one, each.question.other
        seen[one.key][one.seed] = len(one.answer), len(other.answer)
    return {
        prompt: (round(fmean(one for one, _ in those.values())), round(fmean(other for _, other in those.values())))
        for prompt, those in seen.items()
    }
