"""Looks at every slot's canary every few seconds: stops it, promotes it, or says that a person has to decide.

SQL first: what is decided is written in one unit with the slot's change, after a check that the same canary still runs,
and workers hear of it afterwards. So two trainers may look at once, and one that is killed leaves nothing half done.
Nothing is kept between looks: all is counted anew from the rows, and the tests may be looked at whenever one likes.

What people are told, in Russian: `slot_changes` (a stop, a promotion, and the actions «won» and «stale», where an admin
has to decide) and the notes of the job's changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import structlog
from redis.exceptions import RedisError

from storage.contracts import JobState, Loaded, now
from storage.database import Database, Unit
from storage.loop_board import LoopBoard
from storage.loop_tables import SlotChangeRow, SlotRow
from storage.registry import Registry
from storage.registry_rules import REJECTED, RegistryError
from training.canary import CanaryRules, Decision, Finding, assess
from training.canary_words import STALE_RU, WON_RU
from training.cycle.canary_event import CanarySettings, Event, Overtaken
from training.cycle.canary_reading import read_trial
from training.cycle.promotion_guard import guard_once

log = structlog.get_logger(__name__)

# What an admin has to decide: actions of `slot_changes` that move no pointer.
WON, STALE = "won", "stale"
# So long workers may try to load a canary before all of them failing means that it cannot be.
LOADING_SECONDS = 60.0


async def watch_once(
    database: Database,
    registry: Registry,
    board: LoopBoard | None,
    settings: CanarySettings,
    *,
    at: datetime | None = None,
) -> list[Event]:
    """One look at every slot that has a canary, and at promotions that are new. What was decided and done, newly."""
    rules, at = CanaryRules.model_validate(settings.canary), at or now()
    async with database.view() as unit:
        slots = [slot for slot in await unit.slots.all() if slot.canary is not None and slot.canary_at is not None]
    loaded = await _loaded(board) if slots else {}
    done: list[Event] = []
    for slot in slots:
        async with database.view() as unit:
            trial = await read_trial(unit, slot, at)
        # A busy canary has many rows: whatever else this process does goes on meanwhile.
        finding = await asyncio.to_thread(assess, replace(trial, faults=faults(slot, loaded, at)), rules)
        try:
            event = await _act(registry, database, slot, finding, settings)
        except Overtaken:
            continue
        if event is not None:
            log.info("canary decided", slot=slot.name, adapter=slot.canary, decision=event.decision.value)
            done.append(event)
    return done + await guard_once(database, registry, settings, at=at)


def faults(slot: SlotRow, loaded: dict[str, Loaded], at: datetime) -> list[str]:
    """What every worker says is wrong with the slot's canary; nothing while one of them has it, or may still try."""
    if slot.canary is None or slot.canary_at is None or not loaded:
        return []
    if (at - slot.canary_at).total_seconds() < LOADING_SECONDS:
        return []
    told = [one.faults.get(slot.canary) for one in loaded.values()]
    return [one for one in told if one] if all(told) else []


async def _loaded(board: LoopBoard | None) -> dict[str, Loaded]:
    """What workers say; nothing without Redis."""
    try:
        return await board.loaded() if board is not None else {}
    except (RedisError, OSError):
        return {}


async def _act(
    registry: Registry, database: Database, slot: SlotRow, finding: Finding, settings: CanarySettings
) -> Event | None:
    if finding.decision is Decision.CONTINUE:
        return None
    if finding.decision is Decision.STOP_WORSE:
        await registry.end_canary(slot=slot.name, reason=_said(finding), also=_stopping(slot, finding))
        return _event(slot, finding)
    if finding.decision is Decision.WIN and settings.auto_promote:
        try:
            reason = f"{WON_RU}: {_said(finding)}"
            await registry.promote(slot.canary, slot=slot.name, reason=reason, also=_winning(slot, reason))
            return _event(slot, finding, promoted=True)
        except RegistryError as error:
            log.warning("the canary wins and cannot be promoted", adapter=slot.canary, why=str(error))
    return await _leave_to_admin(database, slot, finding)


def _stopping(slot: SlotRow, finding: Finding) -> Callable[[Unit], Awaitable[None]]:
    async def also(unit: Unit) -> None:
        await _still(unit, slot)
        others = await unit.slots.all()
        if not any(slot.canary in (one.active, one.canary) for one in others if one.name != slot.name):
            await unit.adapters.mark(str(slot.canary), REJECTED)
        await _move(unit, slot, JobState.REJECTED, _said(finding))

    return also


def _winning(slot: SlotRow, reason: str) -> Callable[[Unit], Awaitable[None]]:
    async def also(unit: Unit) -> None:
        await _still(unit, slot)
        await _move(unit, slot, JobState.LIVE, reason)

    return also


async def _leave_to_admin(database: Database, slot: SlotRow, finding: Finding) -> Event | None:
    """Say once a canary that it won, or that nothing is to be seen."""
    won = finding.decision is Decision.WIN
    action, head = (WON, WON_RU) if won else (STALE, STALE_RU)
    reason = f"{head}: {_said(finding)}" if won else _said(finding)
    async with database.view() as unit:
        if await _told(unit, slot, action):
            return None
    async with database.unit() as unit:
        row = await _still(unit, slot)
        if await _told(unit, slot, action):
            return None
        unit.session.add(
            SlotChangeRow(
                slot=slot.name, action=action, before=row.active, after=row.canary, share=row.share, reason=reason
            )
        )
        await _move(unit, slot, JobState.CANARY, reason)
        await unit.commit()
    return _event(slot, finding)


async def _told(unit: Unit, slot: SlotRow, action: str) -> bool:
    history = await unit.slots.history(slot.name, limit=50)
    return any(
        one.action == action and one.after == slot.canary and slot.canary_at is not None and one.at >= slot.canary_at
        for one in history
    )


async def _still(unit: Unit, slot: SlotRow) -> SlotRow:
    """The slot, locked; Overtaken unless the canary that was judged runs in it."""
    row = await unit.slots.lock(slot.name)
    if (row.canary, row.canary_at) != (slot.canary, slot.canary_at):
        raise Overtaken
    return row


async def _move(unit: Unit, slot: SlotRow, state: JobState, note: str) -> None:
    """The canary's job, if it has one that waits for this."""
    job = await unit.jobs.lock(slot.canary_job) if slot.canary_job else None
    if job is not None and job.state in (JobState.CANARY, JobState.GATED):
        await unit.jobs.move(job.job_id, state, note)


def _said(finding: Finding) -> str:
    return "; ".join(finding.reasons_ru)


def _event(slot: SlotRow, finding: Finding, *, promoted: bool = False) -> Event:
    return Event(
        slot.name,
        str(slot.canary),
        finding.decision,
        finding.reasons_ru,
        finding.reasons_en,
        slot.canary_job,
        promoted,
    )
