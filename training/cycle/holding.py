"""A job's lease, kept in the background while somebody works on it: says when to let go, and why. Knows no work."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.repositories.jobs import ENDED

log = structlog.get_logger(__name__)

Why = Literal["cancel", "stop", "lost"]
# Of the lease: how often a sign of life is given, and when it counts as lost although nobody could be asked.
RENEWED, GIVEN_UP = 0.25, 0.9


class Interrupted(Exception):
    """The work is to end now: cancelled by an admin, the trainer stops, or the job is somebody else's."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


class Hold:
    """Whether the job is still ours to work on."""

    def __init__(self, database: Database, job_id: str, owner: str, lease: float, stop: asyncio.Event) -> None:
        self.database = database
        self.job_id = job_id
        self.owner = owner
        self.lease = lease
        self.stop = stop
        self.ended: Why | None = None

    def check(self) -> None:
        """Interrupted if the work is to end."""
        if self.ended is None and self.stop.is_set():
            self.ended = "stop"
        if self.ended is not None:
            raise Interrupted(self.ended)

    async def keep(self) -> None:
        """Renew until told otherwise. While SQL is away it goes on, but not for longer than the lease may last."""
        renewed = time.monotonic()
        while self.ended is None:
            began = time.monotonic()
            # A look is cheap and tells of a cancellation soon; writing waits for its time.
            renew = began - renewed > self.lease * RENEWED
            try:
                # A database that hangs must not make us believe that the lease is ours.
                self.ended = await asyncio.wait_for(self._look(renew), self.lease * RENEWED)
                renewed = began if renew else renewed
            except (SQLAlchemyError, OSError) as error:
                log.warning("lease not renewed", job=self.job_id, error=type(error).__name__)
            if time.monotonic() - renewed > self.lease * GIVEN_UP:
                self.ended = self.ended or "lost"
            await asyncio.sleep(min(1.0, self.lease * RENEWED))

    async def _look(self, renew: bool) -> Why | None:
        if renew:
            async with self.database.unit() as unit:
                await unit.jobs.renew(self.job_id, self.owner, self.lease)
                await unit.commit()
        async with self.database.view() as unit:
            row = await unit.jobs.get(self.job_id)
        if row is None or row.owner != self.owner or row.state in ENDED:
            return "lost"
        return "cancel" if row.cancel else None


@asynccontextmanager
async def held(database: Database, job_id: str, owner: str, lease: float, stop: asyncio.Event) -> AsyncIterator[Hold]:
    """A job's lease, renewed until the block is left."""
    hold = Hold(database, job_id, owner, lease, stop)
    task = asyncio.create_task(hold.keep())
    try:
        yield hold
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
