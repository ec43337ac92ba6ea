"""Whether what was promoted does worse than what answered before it: the same bets, against figures of the past. Pure.

No chat is drawn here: the past is another time, with other people in another mood. So the new figures must lie below
the old ones by more than a margin, each with its own confidence, and a change of season or of people that is as large
would be blamed on the adapter. Whoever cannot have that compares in a canary, where both arms meet the same hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from training import canary_words as words
from training.canary import MEASURES, CanaryRules, Decision, Finding, Outcome, observed
from training.sequential import lower, upper

# An answer is on time that takes less than this many times the usual time before.
ON_TIME = 1.5


def fallen(
    now_: Mapping[str, Sequence[Outcome]], before: Mapping[str, Sequence[Outcome]], at: float, rules: CanaryRules
) -> Finding:
    """STOP_WORSE if any measure is shown to have fallen by more than `guard_margin`, else CONTINUE. At most
    `error_stop` of promotions of equal worth, in an unchanged world, are ever taken back."""
    window = max(rules.windows)
    reasons: list[words.Said] = []
    for measure in MEASURES:
        ours = [one.value for one in observed(now_.get(measure.name, ()), window, at, rules)]
        theirs = [one.value for one in observed(before.get(measure.name, ()), window, at, rules)]
        if len(theirs) < rules.guard_chats or not ours:
            continue
        if measure.name == "latency":
            usual = sorted(theirs)[len(theirs) // 2]
            ours, theirs = ([float(one < ON_TIME * usual) for one in values] for values in (ours, theirs))
        level = rules.error_stop * measure.stop_share / 2
        most, least = upper(ours, level, 0.0, 1.0), lower(theirs, level, 0.0, 1.0)
        if most < least - rules.guard_margin:
            name = "on_time" if measure.name == "latency" else measure.name
            reasons.append(words.fell(name, (_mean(ours), len(ours)), (_mean(theirs), len(theirs)), rules.guard_margin))
    if not reasons:
        return Finding(Decision.CONTINUE)
    return Finding(Decision.STOP_WORSE, tuple(one[0] for one in reasons), tuple(one[1] for one in reasons))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
