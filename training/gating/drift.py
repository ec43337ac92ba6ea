"""Whether small losses of many refits have added up: the candidate against the version that the slot began with. Pure.

Each refit is held against what answers now and may lose a little of anything; ten of them may so lose a lot that no
single comparison shows. Therefore the same checks are made against an anchor that never moves. Knows no model.
"""

from __future__ import annotations

from training.gating import checks, words
from training.gating.bounds import Gain, bounds
from training.gating.checks import Check
from training.gating.evidence import Columns
from training.gating.rules import GateRules

PREFIX = "anchor_"


def drifted(given: Columns, rules: GateRules) -> list[Check]:
    """Checks of a candidate against the anchor, which stands in the incumbent's place; none with too little of it.

    Margins are those of one refit, but for the two that a new voice moves by right: perplexity and length.
    """
    ever = rules.model_copy(update={"most_forgetting": rules.most_drift, "most_longer": rules.most_longer_ever})
    if not all(one.passed for one in checks.sample(given, rules) if one.name in ("prompts", "emotions", "texts")):
        return []
    hit = checks.paired(given.hit)
    told = bounds([Gain(hit.gain, rules.error)])[0]
    found = [
        checks.kept("emotion_hit", hit, told, rules.margin_emotion),
        *checks.harms(given, ever),
        *checks.presets(given, rules),
    ]
    return [_renamed(one) for one in found]


def _renamed(one: Check) -> Check:
    ru, en = words.since_the_first((one.ru, one.en))
    return one.model_copy(update={"name": PREFIX + one.name, "ru": ru, "en": en})
