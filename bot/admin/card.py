"""What a refit came to: old against new, the verdict with its reasons, and the decision. Pure.

Reads verdicts as the gate writes them and shows what it knows of them; another release's more is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiogram.types import InlineKeyboardMarkup
from aiogram.utils.formatting import Bold, Text, as_list

from bot import wording as words
from bot.admin import callbacks as c
from bot.admin import texts
from bot.admin.names import adapter_name, method_name, slot_words, state_of
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.contracts import JobState
from storage.loop_tables import JobRow
from storage.presets import Presets

SHARES = (5, 10, 25, 50)
MOST_REASONS = 8
MOST_REASON = 220
Verdict = Mapping[str, Any]


def pairs(verdict: Verdict | None) -> list[tuple[str, float, float]]:
    """Old and new of each measured claim, as shares, by the claim's name."""
    found: list[tuple[str, float, float]] = []
    for check in _list(verdict, "checks"):
        if isinstance(check, Mapping) and check.get("name") in texts.CLAIMS:
            old, new = check.get("incumbent"), check.get("candidate")
            if isinstance(old, (int, float)) and isinstance(new, (int, float)):
                found.append((str(check["name"]), float(old), float(new)))
    return found


def hits(verdict: Verdict | None) -> str | None:
    """«41 % → 58 %»: how often the emotion was hit, old and new."""
    for name, old, new in pairs(verdict):
        if name == "emotion_hit":
            return f"{words.percent(old)} → {words.percent(new)}"
    return None


def passed(verdict: Verdict | None) -> bool | None:
    """Whether the gate let it pass; None if it was not asked."""
    found = verdict.get("passed") if verdict else None
    return found if isinstance(found, bool) else None


def about(job: JobRow, presets: Presets) -> list[Text]:
    """The paragraphs: what it is, old against new, the verdict."""
    head = texts.CARD_HEAD.format(method=method_name(job), **slot_words(job.slot, presets))
    lines = [texts.CARD_ADAPTER.format(adapter=adapter_name(job.adapter_id))] if job.adapter_id else []
    parts = [Text(Bold(head), *(f"\n{line}" for line in lines))]
    compared = [
        texts.CARD_PAIR.format(what=texts.CLAIMS[name], old=words.percent(old), new=words.percent(new))
        for name, old, new in pairs(job.verdict)
    ]
    if compared:
        parts.append(Text(Bold(texts.CARD_PAIRS), "\n", "\n".join(compared)))
    if (ok := passed(job.verdict)) is not None:
        reasons = [
            f"• {words.together(str(reason))[:MOST_REASON]}"
            for reason in _list(job.verdict, "reasons_ru")[:MOST_REASONS]
        ]
        parts.append(Text(Bold(texts.VERDICT_PASSED if ok else texts.VERDICT_FAILED), *(f"\n{one}" for one in reasons)))
    return parts


def render(job: JobRow, presets: Presets, admin: int) -> Screen:
    """The card under the picture."""
    state = state_of(job)
    end = [Text(texts.JOB_ENDS[state])] if state in texts.JOB_ENDS else []
    return Screen(as_list(*about(job, presets), *end, sep="\n\n"), keyboard(job, admin))


def keyboard(job: JobRow, admin: int) -> InlineKeyboardMarkup:
    """The decision, while there is one to take."""

    def acts(act: str, share: int = 0) -> c.OfJob:
        return c.OfJob.model_validate({"admin": admin, "act": act, "job": c.ref(job.job_id), "share": share})

    panel = [button(texts.TO_PANEL, c.Open(admin=admin, view="panel"))]
    if job.adapter_id is None or state_of(job) not in (JobState.GATED, JobState.CANARY):
        return rows(panel)
    shares = [button(texts.TO_CANARY_SHARE.format(share=one), acts("canary", one)) for one in SHARES]
    decide = [button(texts.TO_LIVE, acts("promote")), button(texts.REJECT, acts("reject"))]
    return rows(shares, decide, panel)


def question(job: JobRow, data: c.OfJob, presets: Presets) -> Screen:
    """«Are you sure», with what people would meet."""
    asked = {
        "promote": texts.SURE_ASK_LIVE,
        "canary": texts.SURE_ASK_CANARY,
        "reject": texts.SURE_ASK_REJECT,
    }[data.act]
    yes = {"promote": texts.SURE_LIVE, "canary": texts.SURE_CANARY, "reject": texts.SURE_REJECT}[data.act]
    text = asked.format(adapter=adapter_name(job.adapter_id), **slot_words(job.slot, presets), share=data.share)
    return Screen(
        as_list(*about(job, presets), Text(text), sep="\n\n"),
        rows(
            [button(yes.format(share=data.share), data.model_copy(update={"sure": True}))],
            [button(texts.NO, data.model_copy(update={"act": "show", "share": 0}))],
        ),
    )


def _list(verdict: Verdict | None, name: str) -> list[Any]:
    found = verdict.get(name) if verdict else None
    return list(found) if isinstance(found, (list, tuple)) else []
