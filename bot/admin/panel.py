"""The panel: what is going on now. `look` gathers, `render` shows; numbers only, nothing of anybody's dialogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiogram.types import InlineKeyboardButton, WebAppInfo
from aiogram.utils.formatting import Bold, Text, as_list

from bot import wording as words
from bot.admin import callbacks as c
from bot.admin import texts
from bot.admin.names import adapter_name, method_name, slot_title, slot_words, stage
from bot.admin.screens import Screen
from bot.keyboards import button, rows
from storage.contracts import Loaded, now
from storage.conversation import Conversation
from storage.database import Database
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow, SlotRow
from storage.presets import Presets
from storage.repositories.figures import Figures, Flow, Judged

RECENT = timedelta(minutes=5)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
MOST_WORKERS = 12
MOST_JOBS = 4


@dataclass(frozen=True, slots=True)
class Now:
    """All that the panel shows. `silent`: workers that are alive and never said what they have loaded."""

    at: datetime
    flow: Flow
    recent: Flow
    queue: int
    loaded: Mapping[str, Loaded]
    silent: int
    wanted: int
    draining: datetime | None
    fits_day: Mapping[str, tuple[int, float]]
    fits_week: Mapping[str, tuple[int, float]]
    judged: Judged
    slots: Sequence[SlotRow]
    jobs: Sequence[JobRow]


async def look(database: Database, conversation: Conversation, board: LoopBoard) -> Now:
    """Gather it."""
    moment = now()
    async with database.view() as unit:
        figures = Figures(unit.session)
        flow, recent = await figures.flow(moment - HOUR), await figures.flow(moment - RECENT)
        day, week = await figures.fits(moment - DAY), await figures.fits(moment - WEEK)
        judged = await figures.judged(moment - DAY)
        slots, jobs = await unit.slots.all(), await unit.jobs.open()
    loaded = await board.loaded()
    serving = await board.serving()
    return Now(
        at=moment,
        flow=flow,
        recent=recent,
        queue=await conversation.requests.outstanding(),
        loaded=loaded,
        silent=max(0, await conversation.workers() - len(loaded)),
        wanted=serving.revision if serving else 0,
        draining=await board.draining(),
        fits_day=day,
        fits_week=week,
        judged=judged,
        slots=slots,
        jobs=jobs,
    )


def render(found: Now, presets: Presets, admin: int, dashboard: str | None = None) -> Screen:
    """The panel's message. `dashboard`: https address of the pages, which a button opens inside Telegram."""
    parts = [
        Text(Bold(texts.PANEL), " · ", texts.UPDATED.format(at=f"{found.at:%H:%M:%S} UTC")),
        _section(texts.LOAD, _load(found)),
        _section(texts.WORKERS, _workers(found)),
        _section(texts.FITS, _fits(found, presets)),
        _section(texts.RATINGS, _ratings(found.judged)),
        _section(texts.SLOTS, _slots(found, presets)),
        _section(texts.JOBS, _jobs(found, presets)),
    ]
    return Screen(as_list(*parts, sep="\n\n"), rows(*_buttons(found, admin, dashboard)))


def _buttons(found: Now, admin: int, dashboard: str | None) -> list[list[InlineKeyboardButton]]:
    def opens(text: str, view: str) -> InlineKeyboardButton:
        return button(text, c.Open.model_validate({"admin": admin, "view": view}))

    jobs = [
        [
            button(
                texts.SHOW_JOB.format(stage=stage(job)),
                c.OfJob(admin=admin, act="show", job=c.ref(job.job_id)),
            )
        ]
        for job in found.jobs[-MOST_JOBS:]
    ]
    pages = [InlineKeyboardButton(text=texts.DASHBOARD, web_app=WebAppInfo(url=dashboard))] if dashboard else []
    return [
        [opens(texts.REFRESH, "panel")],
        pages,
        *jobs,
        [opens(texts.RETRAIN, "retrain"), opens(texts.ADAPTERS, "adapters")],
        [opens(texts.PRESETS, "presets"), opens(texts.AUDIT, "audit")],
    ]


def _section(title: str, lines: Sequence[str]) -> Text:
    return Text(Bold(title), "\n", "\n".join(lines))


def _load(found: Now) -> list[str]:
    lines = [texts.LOAD_NONE]
    if found.flow.asked:
        rate = words.number(found.recent.done / (RECENT.total_seconds() / 60), 1)
        lines = [texts.LOAD_LINE.format(done=found.flow.done, asked=found.flow.asked, rate=rate)]
    half, most = found.flow.quantile(0.5), found.flow.quantile(0.95)
    if half is not None and most is not None:
        lines.append(texts.LOAD_TIMES.format(half=words.seconds(half), most=words.seconds(most)))
    if found.flow.failed:
        lines.append(texts.LOAD_FAILED.format(failed=found.flow.failed))
    lines.append(texts.QUEUE_LINE.format(queue=found.queue))
    return lines


def _workers(found: Now) -> list[str]:
    lines: list[str] = []
    for worker, one in sorted(found.loaded.items())[:MOST_WORKERS]:
        names = ", ".join(adapter_name(name) for name in one.adapters) or texts.WORKER_OWN
        line = texts.WORKER_LINE.format(worker=worker, loaded=names)
        if one.revision < found.wanted:
            line += texts.WORKER_BEHIND.format(revision=one.revision, wanted=found.wanted)
        lines.append(line)
        for what, fault in one.faults.items():
            name = texts.FAULTY_PRESETS if what == "presets" else adapter_name(what)
            lines.append(texts.WORKER_FAULT.format(worker=worker, adapter=name, fault=fault[:120]))
    if found.silent:
        lines.append(
            texts.WORKER_SILENT.format(count=words.plural(found.silent, "работник", "работника", "работников"))
        )
    if not lines:
        lines.append(texts.WORKERS_NONE)
    if found.draining is not None:
        left = max(0.0, (found.draining - found.at).total_seconds())
        lines.append(texts.DRAINING.format(left=words.lasting(left)))
    return lines


def _fits(found: Now, presets: Presets) -> list[str]:
    known = {preset.id: preset for preset in presets.presets}
    ids = [name for name in known if name in found.fits_week]
    ids += sorted(set(found.fits_week) - set(known))
    return [
        texts.FITS_LINE.format(
            emoji=known[name].emoji if name in known else "▫️",
            title=known[name].title if name in known else name,
            day=_share(found.fits_day.get(name)),
            week=_share(found.fits_week.get(name)),
        )
        for name in ids
    ] or [texts.NOTHING_CHECKED]


def _share(counted: tuple[int, float] | None) -> str:
    if counted is None:
        return texts.FITS_NONE
    return texts.FITS_SHARE.format(share=words.percent(counted[1]), count=counted[0])


def _ratings(judged: Judged) -> list[str]:
    lines = [texts.RATINGS_LINE.format(up=judged.up, down=judged.down)]
    if judged.stars is not None:
        lines.append(texts.RATINGS_STARS.format(stars=words.number(judged.stars), count=judged.starred))
    return lines


def _slots(found: Now, presets: Presets) -> list[str]:
    lines: list[str] = []
    known = {slot.name: slot for slot in found.slots}
    for name in ["shared", *sorted(set(known) - {"shared"})]:
        slot = known.get(name)
        active = adapter_name(slot.active if slot else None)
        lines.append(texts.SLOT_LINE.format(slot=slot_title(name, presets), active=active))
        if slot is not None and slot.canary is not None:
            share = words.percent(slot.share)
            lines.append(texts.SLOT_CANARY.format(canary=adapter_name(slot.canary), share=share))
    return lines


def _jobs(found: Now, presets: Presets) -> list[str]:
    return [
        texts.JOB_LINE.format(
            method=method_name(job),
            **slot_words(job.slot, presets),
            stage=stage(job),
        )
        for job in found.jobs[-MOST_JOBS:]
    ] or [texts.NO_JOBS]
