"""Refits as they go on, for many readers at once: one look at SQL for all of them, whoever reads slowly skips steps."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.loop_tables import JobRow

log = structlog.get_logger(__name__)

LOOK = 0.5
ALIVE = 15.0


class Watch:
    """The newest text of every watched refit. `text` makes it of a row."""

    def __init__(self, database: Database, text: Callable[[JobRow], str], ended: Callable[[JobRow], bool]) -> None:
        self.database = database
        self.text = text
        self.ended = ended
        self._readers: Counter[str] = Counter()
        self._known: dict[str, tuple[int, str, bool]] = {}
        # A future a reader: a condition would look through all its readers whenever one of them has waited enough.
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)

    @property
    def readers(self) -> int:
        """How many read now."""
        return self._readers.total()

    async def run(self) -> None:
        """Look again and again, while anybody reads."""
        while True:
            await asyncio.sleep(LOOK)
            if self._readers:
                with contextlib.suppress(SQLAlchemyError, OSError):
                    await self._look(list(self._readers))

    async def follow(self, row: JobRow, quiet: float) -> AsyncGenerator[tuple[int, str] | None]:
        """`(number, text)` at every change, None after `quiet` seconds without one; ends with the refit."""
        self._readers[row.job_id] += 1
        try:
            self._tell(row)
            seen = 0
            while True:
                number, text, ended = self._known[row.job_id]
                if number != seen:
                    seen = number
                    yield number, text
                    continue
                if ended:
                    return
                if not await self._wait(row.job_id, quiet):
                    yield None
        finally:
            self._readers[row.job_id] -= 1
            if self._readers[row.job_id] <= 0:
                del self._readers[row.job_id]
                self._known.pop(row.job_id, None)
                self._waiting.pop(row.job_id, None)

    async def _wait(self, job_id: str, quiet: float) -> bool:
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[job_id]
        waiting.add(told)
        try:
            async with asyncio.timeout(quiet):
                await told
        except TimeoutError:
            return False
        finally:
            waiting.discard(told)
        return True

    async def _look(self, job_ids: list[str]) -> None:
        async with self.database.view() as unit:
            rows = list(await unit.session.scalars(select(JobRow).where(JobRow.job_id.in_(job_ids))))
        for row in rows:
            if row.job_id in self._readers:
                self._tell(row)

    def _tell(self, row: JobRow) -> None:
        number, text, _ = self._known.get(row.job_id, (0, "", False))
        fresh = self.text(row)
        if fresh != text:
            self._known[row.job_id] = (number + 1, fresh, self.ended(row))
            for told in self._waiting.pop(row.job_id, set()):
                if not told.done():
                    told.set_result(None)


async def server_sent(
    watch: Watch, row: JobRow, allowed: Callable[[], Awaitable[bool]], quiet: float = ALIVE
) -> AsyncIterator[str]:
    """Server-sent events of a refit, with a comment after `quiet` seconds without one.

    Before each, `allowed` is asked whether the reader still may see it; if not, the stream ends.
    """
    async with contextlib.aclosing(watch.follow(row, quiet)) as changes:
        async for change in changes:
            if not await allowed():
                return
            yield ": alive\n\n" if change is None else f"id: {change[0]}\nevent: job\ndata: {change[1]}\n\n"
