"""Takes adapters' rows in beside those that throw adapters away and those that forget people. Touches no files."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from storage.contracts import now
from storage.database import Database, Unit
from storage.loop_tables import AdapterRow
from storage.registry_rules import CANDIDATE, DELETED, RegistryError

# Whoever removes an adapter's files is done by then, or was killed.
EMPTYING = timedelta(minutes=15)
PATIENCE, PAUSE = 60, 0.5


async def take_in(database: Database, made: AdapterRow, people: set[int]) -> tuple[AdapterRow, bool]:
    """The adapter's row, and whether it was thrown away before: then its files may have gone after they were stored.

    Waits while the files of the same content are being removed; RegistryError after half a minute.
    """
    for _ in range(PATIENCE):
        async with database.unit() as unit:
            await unit.slots.take_turns()
            known = await unit.adapters.get(made.adapter_id)
            revived = known is not None and known.state == DELETED
            if known is None or not _being_emptied(known):
                row = await _remember(unit, made, people)
                await unit.commit()
                return row, revived
        await asyncio.sleep(PAUSE)
    raise RegistryError(f"{made.adapter_id} is being thrown away just now; add it again in a minute")


def _being_emptied(row: AdapterRow) -> bool:
    return row.emptying_at is not None and now() - row.emptying_at < EMPTYING


async def _remember(unit: Unit, made: AdapterRow, people: set[int]) -> AdapterRow:
    """One that was thrown away is a candidate again; one of a tainted parent is tainted."""
    gone = await _forgotten(unit, people, made.job_id)
    parent = await unit.adapters.get(made.parent) if made.parent else None
    kept = await unit.adapters.add(made, people - gone)
    if kept.sha256 != made.sha256:
        raise RegistryError(
            f"two different contents share the id {made.adapter_id}; change a file (a note.txt will do)"
        )
    if kept.state == DELETED:
        kept.state, kept.created_at, kept.emptying_at = CANDIDATE, now(), None
    kept.location = made.location
    if gone or (parent is not None and parent.tainted_at is not None):
        kept.tainted_at = kept.tainted_at or now()
    await unit.session.flush()
    return kept


async def _forgotten(unit: Unit, people: set[int], job_id: str | None) -> set[int]:
    """Who asked to be forgotten after the job that made the adapter was ordered."""
    job = await unit.jobs.get(job_id) if job_id else None
    forgotten = await unit.people.forgotten() if people else {}
    agreed = await unit.people.consenting() if forgotten else set()
    return {
        one
        for one in people & set(forgotten)
        if one not in agreed or (job is not None and forgotten[one].at >= job.created_at)
    }
