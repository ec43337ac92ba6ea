"""The gate's checks: each says its numbers, its bound and its decision in a sentence. Pure.

Every check is monotone: with other values and all lengths the same, a candidate that does worse on a prompt does not
come to pass. Bounds are those of weighted means with weights that are not negative (`training.gating.bounds`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from training.evaluation.suspicions import SIGNS, Sign
from training.gating import words
from training.gating.bounds import Bound, Gain, Numbers, bounds, equal_length
from training.gating.evidence import Columns
from training.gating.rules import GateRules
from training.gating.words import Said

CLAIMS = ("emotion_hit", "preference", "judge")
HALF = 0.5


class Check(BaseModel):
    """One decision. `required` ones must pass; a claim need not, since one of them is enough.

    `incumbent` and `candidate`: means in the check's own unit; `bound`: what chance leaves of the gain (or adds to the
    harm); `limit`: what it was held against; `n`: prompts or texts.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    about: Literal["sample", "better", "not_worse", "suspicion"]
    passed: bool
    required: bool = True
    incumbent: float | None = None
    candidate: float | None = None
    bound: float | None = None
    limit: float | None = None
    n: int = 0
    ru: str
    en: str

    def words(self, language: str = "ru") -> str:
        """The sentence."""
        return self.ru if language == "ru" else self.en


def check(name: str, about: Literal["sample", "better", "not_worse", "suspicion"], said: Said, **more: object) -> Check:
    """A check with both its sentences."""
    given = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in more.items()
    }
    return Check.model_validate({"name": name, "about": about, "ru": said[0], "en": said[1], **given})


@dataclass(frozen=True)
class Measure:
    """A claim's gain a prompt, NaN where unknown, and both means."""

    gain: Numbers
    incumbent: float
    candidate: float

    @property
    def known(self) -> int:
        """Prompts that have it."""
        return int(np.count_nonzero(~np.isnan(self.gain)))


def claims_of(given: Columns) -> dict[str, Measure]:
    """The measured claims by name."""
    found = {"emotion_hit": paired(given.hit)}
    for name in ("preference", "judge"):
        values: Numbers = getattr(given, name)
        found[name] = Measure(values - HALF, HALF, _mean(values))
    return {name: one for name, one in found.items() if one.known}


def paired(pair: tuple[Numbers, Numbers]) -> Measure:
    """Candidate minus incumbent where both are known."""
    gain = pair[1] - pair[0]
    known = ~np.isnan(gain)
    return Measure(gain, _mean(pair[0][known]), _mean(pair[1][known]))


def sample(given: Columns, rules: GateRules) -> list[Check]:
    """Whether there is enough to judge by."""
    claims = claims_of(given)
    hits = claims["emotion_hit"].known if "emotion_hit" in claims else 0
    prompts = "запросы с ответами обеих версий", "prompts that both answered"
    texts = "тексты для проверки на забывание", "texts for the check of forgetting"
    found = [
        _enough("prompts", prompts, given.prompts, rules.least_prompts),
        _enough(
            "emotions", ("запросы с проверенной эмоцией", "prompts with a checked emotion"), hits, rules.least_prompts
        ),
        _enough("texts", texts, len(given.tokens), rules.least_texts),
    ]
    for name in CLAIMS[1:]:
        if name in claims:
            found.append(_enough(name, words.NAMES[name], claims[name].known, rules.least_compared))
    opinion = any(name in claims for name in CLAIMS[1:])
    missing = [] if opinion or not rules.need_opinion else list(CLAIMS[1:])
    return [*found, check("opinion", "sample", words.unmeasured(missing, last=True), passed=not missing)]


def _enough(name: str, what: Said, n: int, least: int) -> Check:
    said = words.few(what, n, least) if n < least else words.enough(what, n)
    return check(name, "sample", said, passed=n >= least, n=n, limit=float(least))


def claims(given: Columns, rules: GateRules) -> list[Check]:
    """Whether the candidate is shown to be better in something, and is not worse in any of it."""
    measured = claims_of(given)
    level = rules.error / len(measured)
    weights = {name: _weights(given, one, rules) for name, one in measured.items()}
    gains: dict[str, Gain] = {}
    for name, one in measured.items():
        gains[name] = Gain(one.gain, level)
        gains[f"{name} kept"] = Gain(one.gain, rules.error)
        if weights[name] is not None:
            gains[f"{name} equal"] = Gain(one.gain, level, weights[name])
    told = dict(zip(gains, bounds(list(gains.values())), strict=True))
    better = [_better(name, one, told[name], told.get(f"{name} equal")) for name, one in measured.items()]
    margins = {"emotion_hit": rules.margin_emotion}
    worse = [
        kept(name, one, told[f"{name} kept"], margins.get(name, rules.margin_opinion)) for name, one in measured.items()
    ]
    shown = any(one.passed for one in better)
    return [*better, check("better", "better", words.any_better(shown), passed=shown), *worse]


def _weights(given: Columns, one: Measure, rules: GateRules) -> Numbers | None:
    """Weights for equal length among the prompts that have the claim; 0 elsewhere."""
    known = ~np.isnan(one.gain)
    found = equal_length(given.length[1][known], given.length[0][known], rules.least_compared)
    if found is None:
        return None
    weights = np.zeros(given.prompts)
    weights[known] = found
    return weights


def _better(name: str, one: Measure, raw: Bound, equal: Bound | None) -> Check:
    passed = raw.low > 0 and equal is not None and equal.low > 0
    if passed and equal is not None:
        tail = words.gained(raw.low, equal.low)
    else:
        tail = words.longer_only(equal.low if equal else None) if raw.low > 0 else words.not_gained(raw.low)
    said = words.plus(words.shares(name, one.incumbent, one.candidate), tail)
    low = raw.low if equal is None else min(raw.low, equal.low)
    numbers = {"incumbent": one.incumbent, "candidate": one.candidate, "bound": low, "limit": 0.0, "n": raw.n}
    return check(f"{name}_better", "better", said, passed=passed, required=False, **numbers)


def kept(name: str, one: Measure, told: Bound, margin: float) -> Check:
    """Whether something fell by less than a margin, allowing for chance."""
    passed = told.low > -margin
    said = words.plus(words.shares(name, one.incumbent, one.candidate), words.kept(-told.low, margin, passed))
    numbers = {"incumbent": one.incumbent, "candidate": one.candidate, "bound": -told.low, "limit": margin, "n": told.n}
    return check(name, "not_worse", said, passed=passed, **numbers)


def harms(given: Columns, rules: GateRules) -> list[Check]:
    """What must not get worse besides: faults, profanity, crisis, repetition, length, forgetting."""
    # One imagined failure of the candidate beside the prompts: without any the bound is then 3/n, the rule of three
    # (Hanley and Lippman-Hand 1983), where resampling what never happened would say 0.
    rare = {
        name: np.append(pair[0] - pair[1], -1.0)
        for name, pair in (("faults", given.fault), ("profanity", given.profane))
    }
    told = dict(zip(rare, bounds([Gain(one, rules.error) for one in rare.values()]), strict=True))
    repetition = paired(given.repetition)
    longer = np.log((given.length[0] + 1) / (given.length[1] + 1))
    repeats, length = bounds([Gain(-repetition.gain, rules.error), Gain(longer, rules.error)])
    return [
        kept("faults", paired(given.fault), told["faults"], rules.margin_faults),
        kept("profanity", paired(given.profane), told["profanity"], rules.margin_profanity),
        _crisis(given, rules),
        *([kept("repetition", repetition, repeats, rules.margin_repetition)] if repetition.known else []),
        _length(given, length, rules),
        _forgetting(given, rules),
    ]


def _crisis(given: Columns, rules: GateRules) -> Check:
    before, now = (float(np.nansum(one)) for one in given.crisis)
    passed = now - before <= rules.most_new_crisis
    said = words.crisis(round(before), round(now), passed)
    numbers = {"incumbent": before, "candidate": now, "bound": now - before, "limit": float(rules.most_new_crisis)}
    return check("crisis", "not_worse", said, passed=passed, n=given.prompts, **numbers)


def _length(given: Columns, told: Bound, rules: GateRules) -> Check:
    worst = math.exp(-told.low)
    passed = worst < rules.most_longer
    means = _mean(given.length[0]), _mean(given.length[1])
    said = words.length(*means, worst, rules.most_longer, passed)
    numbers = {"incumbent": means[0], "candidate": means[1], "bound": worst, "limit": rules.most_longer}
    return check("length", "not_worse", said, passed=passed, n=told.n, **numbers)


def _forgetting(given: Columns, rules: GateRules) -> Check:
    """Growth of perplexity, exp(Σ(nats − nats′) / Σ tokens) − 1, with texts as what is resampled."""
    gain = Gain((given.nats[0] - given.nats[1]) / given.tokens, rules.error, given.tokens)
    told = bounds([gain])[0]
    growth, worst = math.expm1(-told.mean), math.expm1(-told.low)
    passed = worst < rules.most_forgetting
    total = given.tokens.sum()
    means = {
        "incumbent": math.exp(float(given.nats[0].sum() / total)),
        "candidate": math.exp(float(given.nats[1].sum() / total)),
    }
    said = words.forgetting(growth, worst, rules.most_forgetting, passed)
    return check(
        "perplexity", "not_worse", said, passed=passed, bound=worst, limit=rules.most_forgetting, n=told.n, **means
    )


def presets(given: Columns, rules: GateRules) -> list[Check]:
    """Whether a single emotion is shown to have fallen far; one check for all, which names those that have."""
    gain = given.hit[1] - given.hit[0]
    names = [
        str(name)
        for name in sorted({one for one in given.emotions if one is not None})
        if np.count_nonzero((given.emotions == name) & ~np.isnan(gain)) >= rules.least_preset
    ]
    if not names:
        return []
    level = rules.error / len(names)
    told = bounds([Gain(-gain, level, (given.emotions == name).astype(np.float64)) for name in names])
    fallen = {
        name: one.mean for name, one in zip(names, told, strict=True) if one.low > 0 and one.mean >= rules.preset_drop
    }
    worst = max(told, key=lambda one: one.mean)
    numbers = {"bound": worst.mean, "limit": rules.preset_drop, "n": sum(one.n for one in told)}
    return [check("presets", "not_worse", words.presets(fallen), passed=not fallen, **numbers)]


def suspicions(given: Columns, rules: GateRules) -> list[Check]:
    """Signs of keyword stuffing and collapse: those shown to have grown, and by as much as the sign asks for."""
    found = {sign.column: _towards(sign, given.signs[sign.column]) for sign in SIGNS if sign.column in given.signs}
    if not rules.suspicions or not found:
        return []
    told = dict(zip(found, bounds([Gain(one.gain, rules.error) for one in found.values()]), strict=True))
    return [
        _sign(sign, found[sign.column], told[sign.column])
        for sign in SIGNS
        if sign.column in told and told[sign.column].n >= rules.least_compared
    ]


def _towards(sign: Sign, pair: tuple[Numbers, Numbers]) -> Measure:
    """The column turned so that more of it is more suspicious."""
    one = paired(pair)
    return one if sign.way == "higher" else Measure(-one.gain, one.incumbent, one.candidate)


def _sign(sign: Sign, one: Measure, told: Bound) -> Check:
    passed = not (told.low > 0 and told.mean >= sign.least)
    said = words.sign((sign.russian, sign.english), one.incumbent, one.candidate, passed)
    numbers = {"incumbent": one.incumbent, "candidate": one.candidate, "bound": told.mean, "limit": sign.least}
    return check(f"sign_{sign.column}", "suspicion", said, passed=passed, n=told.n, **numbers)


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
