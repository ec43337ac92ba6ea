"""Waiting for what the loop does by itself: the refit of a round, and the worker that serves its adapter.

Looks at SQL and the board as an admin would; orders nothing. Knows no people.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from storage.contracts import JobState
from storage.loop_tables import JobChangeRow, JobRow
from storage.repositories.jobs import ENDED
from training.simulation.errors import WorldBroken
from training.simulation.world import World

LOOK_SECONDS = 0.5
# So long after the last rating a refit must have begun, or the trainer does not want one.
BEGIN_SECONDS = 120.0
SERVE_SECONDS = 120.0
# A trained adapter that waits for an admin has come as far as this simulation lets it.
OVER = (*ENDED, JobState.GATED)


async def refit(world: World, number: int, minutes: float) -> dict[str, Any] | None:
    """The `number`-th refit of a world (from 1), once it is over; None if none began. WorldBroken after `minutes`."""
    began = time.monotonic()
    while True:
        world.check()
        async with world.database.view() as view:
            jobs = list(reversed(await view.jobs.last(limit=number + 100)))
            row = jobs[number - 1] if len(jobs) >= number else None
            if row is not None and row.state in OVER:
                return told(row, await view.jobs.changes(row.job_id))
        waited = time.monotonic() - began
        if row is None and waited > BEGIN_SECONDS:
            return None
        if waited > 60 * minutes:
            state = row.state if row is not None else "never begun"
            raise WorldBroken(
                f"refit {number} is {state} after {minutes:g} minutes: raise the limit or make it smaller"
            )
        await asyncio.sleep(LOOK_SECONDS)


def told(row: JobRow, changes: Sequence[JobChangeRow]) -> dict[str, Any]:
    """What the report says of a refit. `seconds`: how long it was in each state."""
    verdict, plan = row.verdict or {}, row.plan or {}
    seconds: dict[str, float] = {}
    for one, following in pairwise(changes):
        seconds[one.state] = round(seconds.get(one.state, 0.0) + (following.at - one.at).total_seconds(), 1)
    return {
        "job_id": row.job_id,
        "trigger": row.trigger,
        "state": row.state,
        "method": row.method,
        "adapter": row.adapter_id,
        "error": row.error,
        "passed": verdict.get("passed"),
        "reasons": list(verdict.get("reasons_en", ())) or ([row.error] if row.error else []),
        "rows": plan.get("rows", {}),
        "metrics": verdict.get("metrics", {}),
        "seconds": seconds,
    }


async def served(world: World) -> str | None:
    """The adapter that the slot names, once every worker serves it; None: the worker's own. WorldBroken if they do
    not, or say what is wrong with it."""
    async with world.database.view() as view:
        slot = await view.slots.get("shared")
        revision = await view.slots.revision()
    until = time.monotonic() + SERVE_SECONDS
    while revision:
        world.check()
        loaded = [await _loaded(world, worker) for worker in await world.workers()]
        if loaded and all(known is not None and known >= revision for known in loaded):
            break
        if time.monotonic() > until:
            raise WorldBroken(f"no worker serves revision {revision} after {SERVE_SECONDS:.0f} s")
        await asyncio.sleep(LOOK_SECONDS)
    return slot.active if slot is not None else None


async def _loaded(world: World, worker: str) -> int | None:
    known = (await world.board.loaded()).get(worker)
    if known is None:
        return None
    if known.faults:
        raise WorldBroken(f"the worker cannot serve: {known.faults}")
    return known.revision
