"""Throws away the files of adapters that nothing refers to any more; their rows stay as lineage.

In one unit, which takes turns with promotions, an adapter is looked at again and marked as deleted: from then on
nothing can point at it. Its files are removed after that, for a slow store must not hold up those who write to SQL.
Whoever is killed in between leaves a mark, by which the next one goes on.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime

import structlog

from storage.adapter_files import discard
from storage.contracts import now
from storage.database import Database, Unit
from storage.loop_tables import AdapterRow
from storage.registry_intake import EMPTYING
from storage.registry_rules import DELETED, referenced

log = structlog.get_logger()

NAMED = re.compile(r"a-[0-9a-f]{12}")


async def collect(database: Database, keep: int, at: datetime | None = None) -> list[str]:
    """Throw away what is not referenced; returns the ids. `keep`: how many of each slot's last adapters stay, at least
    one. StoreUnavailable if the store fails: what was marked until then is removed by the next call.
    """
    moment = at or now()
    async with database.view() as unit:
        left = [row.adapter_id for row in await unit.adapters.all() if _left_behind(row, moment)]
        free = [*left, *await unreferenced(unit, keep, moment)]
    gone = []
    for name in free:
        location = await _claim(database, name, keep, moment)
        if location is None:
            continue
        await asyncio.to_thread(discard, location)
        async with database.unit() as unit:
            await unit.adapters.emptied(name)
            await unit.commit()
        log.info("adapter thrown away", adapter=name)
        gone.append(name)
    return gone


async def _claim(database: Database, name: str, keep: int, at: datetime) -> str | None:
    """Mark an adapter as deleted, its files as being removed by us; its location, None if it must stay."""
    async with database.unit() as unit:
        await unit.slots.take_turns()
        row = await unit.adapters.get(name)
        if row is None or not (_left_behind(row, at) or name in await unreferenced(unit, keep, at)):
            return None
        row.state, row.emptying_at = DELETED, now()
        await unit.commit()
        return row.location


def _left_behind(row: AdapterRow, at: datetime) -> bool:
    """Whether somebody began to remove its files and was killed."""
    return row.emptying_at is not None and at - row.emptying_at >= EMPTYING


async def unreferenced(unit: Unit, keep: int, at: datetime | None = None) -> list[str]:
    """Adapters that may be thrown away, oldest first."""
    slots = await unit.slots.all()
    changes = {slot.name: await unit.slots.changes(slot.name) for slot in slots}
    adapters = [row for row in await unit.adapters.all() if row.state != DELETED]
    jobs = await unit.jobs.open()
    named: set[str] = set()
    for job in jobs:
        said = json.dumps([job.adapter_id, job.order, job.plan, job.verdict], default=str)
        named |= set(NAMED.findall(said)) | ({job.adapter_id} if job.adapter_id else set())
    stay = referenced(slots, changes, adapters, named, {job.job_id for job in jobs}, keep, at or now())
    return [row.adapter_id for row in reversed(adapters) if row.adapter_id not in stay]
