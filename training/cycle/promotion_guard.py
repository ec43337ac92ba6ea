"""After a promotion: takes it back by itself if what answers now is shown to do worse than what answered before.

Looks at each slot's newest promotion for a while (`guard_hours`), whoever promoted; an adapter that the loop has once
rolled back in a slot and a person promotes there again is left alone. Keeps nothing between looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from storage.database import Database, Unit
from storage.loop_tables import SlotChangeRow
from storage.registry import Registry
from storage.registry_rules import REJECTED
from storage.repositories.arms import Arms, Period
from training.after_promotion import fallen
from training.canary import CanaryRules, Decision, Finding
from training.cycle.canary_event import CanarySettings, Event, Overtaken
from training.cycle.canary_reading import outcomes

log = structlog.get_logger(__name__)

POINTED = ("promote", "rollback")
# No older answers are compared with.
PAST = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was promoted, when, and from when on its predecessor answered."""

    slot: str
    adapter: str
    at: datetime
    before_since: datetime


async def guard_once(database: Database, registry: Registry, settings: CanarySettings, *, at: datetime) -> list[Event]:
    """One look at every slot's newest promotion. What was rolled back."""
    rules, done = CanaryRules.model_validate(settings.canary), []
    async with database.view() as unit:
        slots = [one.name for one in await unit.slots.all() if one.active is not None]
        found = [promotion(name, await unit.slots.changes(name), at, rules) for name in slots]
    for one in found:
        if one is None:
            continue
        async with database.view() as unit:
            finding = await _judge(unit, one, at, rules)
        if finding.decision is not Decision.STOP_WORSE:
            continue
        try:
            await registry.rollback(one.slot, reason="; ".join(finding.reasons_ru), also=_Undoing(one))
        except Overtaken:
            continue
        log.warning("promotion taken back", slot=one.slot, adapter=one.adapter)
        done.append(Event(one.slot, one.adapter, finding.decision, finding.reasons_ru, finding.reasons_en))
    return done


def promotion(slot: str, changes: Sequence[SlotChangeRow], at: datetime, rules: CanaryRules) -> Promotion | None:
    """The slot's newest pointer, if it is to be watched. `changes`: oldest first."""
    pointed = [one for one in changes if one.action in POINTED and one.before != one.after]
    if not pointed or pointed[-1].action != "promote" or pointed[-1].after is None:
        return None
    last, earlier = pointed[-1], pointed[:-1]
    if at - last.at > timedelta(hours=rules.guard_hours):
        return None
    if any(one.action == "rollback" and one.by is None and one.before == last.after for one in earlier):
        return None
    since = max(last.at - PAST, earlier[-1].at) if earlier else last.at - PAST
    return Promotion(slot, str(last.after), last.at, since)


async def _judge(unit: Unit, one: Promotion, at: datetime, rules: CanaryRules) -> Finding:
    """The predecessor's answers without those of a canary; the promoted one's since it answers everybody."""
    arms = Arms(unit.session)
    before, after = Period(one.before_since, one.at, ("active",)), Period(one.at, adapter=one.adapter)
    found = [
        outcomes(await arms.answers(one.slot, period), await arms.votes(one.slot, period)) for period in (after, before)
    ]
    return await asyncio.to_thread(fallen, found[0], found[1], at.timestamp(), rules)


@dataclass(frozen=True, slots=True)
class _Undoing:
    """What belongs to the rollback: it is this promotion's, and the adapter is not offered again."""

    one: Promotion

    async def __call__(self, unit: Unit) -> None:
        row = await unit.slots.lock(self.one.slot)
        newest = [change for change in await unit.slots.changes(self.one.slot) if change.action in POINTED][-1]
        if row.active != self.one.adapter or newest.at != self.one.at:
            raise Overtaken
        others = [slot for slot in await unit.slots.all() if slot.name != self.one.slot]
        if not any(self.one.adapter in (slot.active, slot.canary) for slot in others):
            await unit.adapters.mark(self.one.adapter, REJECTED)
