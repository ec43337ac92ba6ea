"""Whether what was promoted does worse than what answered before it: the same bets, against figures of the past. Pure.

No chat is drawn here: the past is another time, with other people in another mood. So the new figures must lie below
the old ones by more than a margin, each with its own confidence; where days differed from each other in the past, by
more than these differences explain. A change of season or of people that is larger would be blamed on the adapter.
Whoever cannot have that compares in a canary, where both arms meet the same hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, variance

from training import canary_words as words
from training.canary import MEASURES, CanaryRules, Decision, Finding, Outcome, observed
from training.sequential import Seen, lower, upper

DAY = 86400.0
# Days with fewer chats, and fewer days, do not tell how days differ.
LEAST_A_DAY, LEAST_DAYS = 10, 3
# An answer is on time that takes less than this many times the usual time before.
ON_TIME = 1.5


def fallen(
    now_: Mapping[str, Sequence[Outcome]], before: Mapping[str, Sequence[Outcome]], at: float, rules: CanaryRules
) -> Finding:
    """STOP_WORSE if any measure is shown to have fallen by more than `guard_margin`, and by more than days differ
    anyway; else CONTINUE. At most `error_stop` of promotions of equal worth in an unchanged world are ever taken back.
    """
    window = max(rules.windows)
    reasons: list[words.Said] = []
    for measure in MEASURES:
        new = observed(now_.get(measure.name, ()), window, at, rules)
        old = observed(before.get(measure.name, ()), window, at, rules)
        if len(old) < rules.guard_chats or not new:
            continue
        if measure.name == "latency":
            usual = sorted(one.value for one in old)[len(old) // 2]
            new, old = ([Seen(one.at, float(one.value < ON_TIME * usual)) for one in seen] for seen in (new, old))
        ours, theirs = ([one.value for one in seen] for seen in (new, old))
        level = rules.error_stop * measure.stop_share / 2
        most, least = upper(ours, level, 0.0, 1.0), lower(theirs, level, 0.0, 1.0)
        margin = max(rules.guard_margin, rules.guard_swings * swing(old) * math.sqrt(1 / _days(new) + 1 / _days(old)))
        if most < least - margin:
            name = "on_time" if measure.name == "latency" else measure.name
            reasons.append(words.fell(name, (_mean(ours), len(ours)), (_mean(theirs), len(theirs)), margin))
    if not reasons:
        return Finding(Decision.CONTINUE)
    return Finding(Decision.STOP_WORSE, tuple(one[0] for one in reasons), tuple(one[1] for one in reasons))


def swing(seen: Sequence[Seen]) -> float:
    """How far a day's mean strays from the others, beyond what its few chats explain: the standard deviation between
    days by moments (DerSimonian and Laird 1986, unweighted). 0 where there are too few days to tell."""
    days: dict[int, list[float]] = {}
    for one in seen:
        days.setdefault(int(one.at // DAY), []).append(one.value)
    full = [values for values in days.values() if len(values) >= LEAST_A_DAY]
    if len(full) < LEAST_DAYS:
        return 0.0
    chance = fmean(variance(values) / len(values) for values in full)
    return math.sqrt(max(0.0, variance([fmean(values) for values in full]) - chance))


def _days(seen: Sequence[Seen]) -> float:
    """Over how many days they were observed; one at least, as a part of a day has one mood."""
    times = [one.at for one in seen]
    return max(1.0, (max(times) - min(times)) / DAY)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
