"""A refit on the screen, running or ended. Pure: a row and its newest sign of life in, a screen out."""

from __future__ import annotations

from aiogram.types import InlineKeyboardMarkup
from aiogram.utils.formatting import Bold, Text, as_list

from bot import wording as words
from bot.admin import callbacks as c
from bot.admin import card, texts
from bot.admin.names import method_name, slot_words, state_of
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.contracts import JobEvent, JobState
from storage.loop_tables import JobRow
from storage.presets import Presets
from storage.repositories.jobs import WORKABLE

MOST_ERROR = 300


def render(job: JobRow, event: JobEvent | None, presets: Presets, admin: int) -> Screen:
    """The message that keeps itself current."""
    head = texts.JOB_HEAD.format(method=_asked(job), **slot_words(job.slot, presets))
    parts: list[Text] = [Text(Bold(head), "\n", "\n".join(_about(job)))]
    if state_of(job) in WORKABLE:
        parts += [Text("\n".join(_steps(job))), *_progress(job, event)]
    else:
        parts += [*card.about(job, presets)[1:], Text("\n".join(_end(job)))]
    return Screen(as_list(*parts, sep="\n\n"), keyboard(job, admin))


def keyboard(job: JobRow, admin: int) -> InlineKeyboardMarkup:
    """What can be done now."""
    panel = button(texts.TO_PANEL, c.Open(admin=admin, view="panel"))
    state = state_of(job)
    if state in WORKABLE:
        cancel = [] if job.cancel else [button(texts.CANCEL, c.OfJob(admin=admin, act="cancel", job=c.ref(job.job_id)))]
        return rows(cancel, [panel])
    return card.keyboard(job, admin)


def _asked(job: JobRow) -> str:
    method = str(job.order.get("method", "auto"))
    return texts.METHOD_NAMES.get(method, method)


def _about(job: JobRow) -> list[str]:
    trigger = texts.TRIGGERS.get(job.trigger, job.trigger)
    lines = [texts.JOB_ASKED.format(trigger=trigger, at=words.stamp(job.created_at))]
    if job.method is not None and job.order.get("method", "auto") == "auto":
        lines.append(texts.JOB_CHOSEN.format(method=method_name(job)))
        reasons = job.plan.get("ru", ())
        lines += [f"• {reason}" for reason in reasons if isinstance(reason, str)]
    return lines


def _steps(job: JobRow) -> list[str]:
    at = [state for state, _ in texts.STEPS].index(JobState(job.state))
    marks = ["✅"] * at + ["▶️"] + ["▫️"] * (len(texts.STEPS) - at - 1)
    return [f"{mark} {title}" for mark, (_, title) in zip(marks, texts.STEPS, strict=True)]


def _progress(job: JobRow, event: JobEvent | None) -> list[Text]:
    if job.cancel:
        return [Text(texts.JOB_CANCELLING)]
    if job.state == JobState.QUEUED:
        return [Text(texts.JOB_WAITS)]
    # The board is fresher than the row, but may still speak of an earlier stage.
    news: JobEvent | JobRow = event if event is not None and event.state == job.state else job
    lines: list[str] = []
    if news.step is not None and news.steps:
        done = news.step / news.steps
        lines.append(f"{words.bar(done)} {words.percent(min(1.0, done))}")
        lines.append(texts.JOB_STEP.format(step=news.step, steps=news.steps))
    if news.loss is not None:
        lines.append(texts.JOB_LOSS.format(loss=words.number(news.loss, 3)))
    if news.eta_seconds is not None:
        lines.append(texts.JOB_LEFT.format(left=words.lasting(news.eta_seconds)))
    return [Text("\n".join([*lines[:1], " · ".join(lines[1:])]))] if lines else []


def _end(job: JobRow) -> list[str]:
    state = state_of(job)
    lines = [texts.JOB_ENDS.get(state, job.state) if state else job.state]
    if job.error:
        lines.append(texts.JOB_ERROR.format(error=job.error[:MOST_ERROR]))
    return lines
