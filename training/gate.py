"""Whether a candidate may meet people: a pure decision on evidence, with its reasons in Russian and English.

A candidate passes that is shown to be better in something that matters, at equal length too, is not worse in anything,
not even than the version that its slot began with, and shows no sign of deceiving the checks. Knows no model, no file
and no job; `training.gating.gather` makes evidence of answers, `training.gating.rules` says what is asked for and why.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from training.gating import checks, drift
from training.gating.checks import Check
from training.gating.evidence import Columns, Evidence, EvidenceError, Prompt, Shown, Text, anchored, columns
from training.gating.rules import GateRules

__all__ = [
    "Check",
    "Evidence",
    "EvidenceError",
    "GateRules",
    "Prompt",
    "Shown",
    "Text",
    "Verdict",
    "decide",
    "verdict",
]
HEADS = {
    "ru": ("Новая версия прошла проверку.", "Новая версия не прошла проверку."),
    "en": ("The candidate passes.", "The candidate is rejected."),
}


class Verdict(BaseModel):
    """The decision. Reasons: what it is better in where it passed, what stopped it where it did not."""

    model_config = ConfigDict(frozen=True)

    passed: bool
    reasons_ru: tuple[str, ...]
    reasons_en: tuple[str, ...]
    checks: tuple[Check, ...]

    def reasons(self, language: str = "ru") -> tuple[str, ...]:
        """The reasons in one language."""
        return self.reasons_ru if language == "ru" else self.reasons_en

    def text(self, language: str = "ru", whole: bool = False) -> str:
        """The verdict for a message: a line a reason; `whole`: every check, marked ✅, ❌, or ➖ for claims that do not
        hold and need not."""
        head = HEADS[language][0 if self.passed else 1]
        if not whole:
            return "\n".join([head, *(f"• {one}" for one in self.reasons(language))])
        return "\n".join([head, *(f"{_mark(one)} {one.words(language)}" for one in self.checks)])


def decide(evidence: Evidence, rules: GateRules | None = None) -> Verdict:
    """The verdict on a candidate; the same for any order of the evidence's rows."""
    return verdict(columns(evidence), rules or GateRules(), columns(anchored(evidence)))


def verdict(given: Columns, rules: GateRules, anchor: Columns | None = None) -> Verdict:
    """The same on columns; `anchor`: the candidate beside the version that its slot began with. With too little to
    judge by, nothing else is looked at."""
    found = checks.sample(given, rules)
    if all(one.passed for one in found):
        found += [
            *checks.claims(given, rules),
            *checks.harms(given, rules),
            *checks.presets(given, rules),
            *checks.suspicions(given, rules),
            *(drift.drifted(anchor, rules) if anchor is not None else ()),
        ]
    passed = all(one.passed for one in found if one.required)
    reasons = _reasons(found, passed)
    return Verdict(
        passed=passed,
        reasons_ru=tuple(one.ru for one in reasons),
        reasons_en=tuple(one.en for one in reasons),
        checks=tuple(found),
    )


def _reasons(found: Sequence[Check], passed: bool) -> list[Check]:
    """Claims that hold, or else all that stopped it; where none holds, each of them says why."""
    claims = [one for one in found if not one.required]
    if passed:
        return [one for one in claims if one.passed]
    return [one for one in found if not one.passed and (one.required or not any(claim.passed for claim in claims))]


def _mark(one: Check) -> str:
    if one.passed:
        return "✅"
    return "❌" if one.required else "➖"
