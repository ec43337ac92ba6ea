"""Throws away the files of adapters that nothing refers to any more; their rows stay as lineage.

Each one goes in a unit of its own that takes turns with promotions: it is looked at again there, its files are removed
there, so that nothing can point at it in between. A crash leaves at worst a row whose files are gone already.
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
from storage.registry_rules import DELETED, referenced

log = structlog.get_logger()

NAMED = re.compile(r"a-[0-9a-f]{12}")


async def collect(database: Database, keep: int, at: datetime | None = None) -> list[str]:
    """Throw away what is not referenced; returns the ids. `keep`: how many of each slot's last adapters stay, at least
    one. StoreUnavailable if the store fails: what was thrown away until then stays thrown away.
    """
    moment = at or now()
    async with database.view() as unit:
        free = await unreferenced(unit, keep, moment)
    gone = []
    for name in free:
        async with database.unit() as unit:
            await unit.slots.take_turns()
            row = await unit.adapters.get(name)
            if row is None or name not in await unreferenced(unit, keep, moment):
                continue
            await asyncio.to_thread(discard, row.location)
            row.state = DELETED
            await unit.commit()
        log.info("adapter thrown away", adapter=name)
        gone.append(name)
    return gone


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
