"""What operators are written when something changed in the loop: which change is worth a message, to whom, in what
words. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiogram.types import InlineKeyboardButton
from aiogram.utils.formatting import Bold, Text, as_list

from bot.admin import callbacks as c
from bot.admin import card, texts
from bot.admin.names import adapter_name, method_name, slot_words
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.contracts import JobState
from storage.loop_tables import JobChangeRow, JobRow, SlotChangeRow
from storage.presets import Presets

# What the registry writes when a preset's slot begins as the shared one; nobody meets anything new by that.
SILENT_REASON = "as in the slot shared"
MOST_REASON = 300
JUDGED = (JobState.GATED, JobState.CANARY, JobState.LIVE, JobState.REJECTED)


@dataclass(frozen=True, slots=True)
class Letter:
    """To everybody but `but_not` (who did it and saw it). `picture`: of this job, if there is one."""

    screen: Screen
    but_not: int | None = None
    picture: str | None = None


def of_job(change: JobChangeRow, job: JobRow, presets: Presets, before: str | None, admin: int) -> Letter | None:
    """What is written of a job's change; where the pointer moved too, the slot's change says it.

    `before`: the state before this one. Who decided on a card has seen it; the loop's own decisions come with it.
    """
    by = job.order.get("requested_by")
    asked_by = by if isinstance(by, int) else None
    if change.state == JobState.QUEUED:
        return Letter(_short(texts.NEWS_QUEUED, job, presets, admin), but_not=asked_by)
    if before == JobState.EVALUATING and change.state in JUDGED and job.adapter_id is not None:
        return Letter(card.render(job, presets, admin), picture=job.job_id)
    if change.state == JobState.REJECTED and before != JobState.CANARY:
        did_it = change.note == texts.NOTE_BY.format(who=admin)
        return None if did_it else Letter(_short(texts.NEWS_REJECTED, job, presets, admin, change.note))
    if change.state == JobState.FAILED:
        return Letter(_short(texts.NEWS_FAILED, job, presets, admin, job.error or change.note))
    if change.state == JobState.CANCELLED:
        return Letter(_short(texts.NEWS_CANCELLED, job, presets, admin))
    return None


def of_slot(change: SlotChangeRow, presets: Presets, admin: int) -> Letter | None:
    """What is written of a slot's change."""
    decide = texts.NEWS_DECIDE.get(change.action)
    text = decide or texts.NEWS_SLOT.get(change.action)
    if text is None or change.reason == SILENT_REASON:
        return None
    said = text.format(
        **slot_words(change.slot, presets),
        before=adapter_name(change.before),
        after=adapter_name(change.after),
        share=round((change.share or 0.0) * 100),
    )
    lines = [Text(said)]
    if change.reason:
        lines.append(Text(texts.NEWS_REASON.format(reason=change.reason[:MOST_REASON])))
    if decide is None:
        lines.append(Text(texts.NEWS_BY_LOOP if change.by is None else texts.NEWS_BY.format(who=change.by)))
    choice = _choice(change, admin) if decide is not None else []
    keyboard = rows(choice, [button(texts.TO_PANEL, c.Open(admin=admin, view="panel"))])
    return Letter(Screen(as_list(*lines, sep="\n"), keyboard), but_not=change.by)


def _choice(change: SlotChangeRow, admin: int) -> list[InlineKeyboardButton]:
    """What can be done with a canary; each asks once more."""

    def acts(text: str, act: str) -> InlineKeyboardButton:
        values = {"admin": admin, "act": act, "adapter": c.ref(change.after or ""), "slot": change.slot}
        return button(text, c.OfAdapter.model_validate(values))

    return [acts(texts.TO_LIVE, "live"), acts(texts.STOP, "end")]


def _short(text: str, job: JobRow, presets: Presets, admin: int, error: str = "") -> Screen:
    head = text.format(
        method=method_name(job),
        **slot_words(job.slot, presets),
        trigger=texts.TRIGGERS.get(job.trigger, job.trigger),
    )
    parts = [Text(Bold(head))]
    if error:
        parts.append(Text(texts.JOB_ERROR.format(error=error[:MOST_REASON])))
    show = c.OfJob(admin=admin, act="show", job=c.ref(job.job_id))
    return Screen(as_list(*parts, sep="\n"), rows([button(texts.NEWS_SHOW, show)]))
