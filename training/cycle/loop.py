"""The trainer's loop of refits: orders those that are due, works on jobs one at a time, and keeps things tidy.

Whatever goes wrong here is logged and tried again; storing ratings is another task's business and never waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import socket
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis

from storage.contracts import now
from storage.database import Database
from storage.loop_board import LoopBoard
from storage.registry import Registry
from storage.settings import StorageSettings
from training.cycle import forgetting, tidying, triggers
from training.cycle.child import env_of
from training.cycle.news import News
from training.cycle.running import Running
from training.cycle.summing import Summing
from training.settings import TrainingSettings

log = structlog.get_logger(__name__)

CANARY_SECONDS, MINUTE, HOUR = 10.0, 60.0, 3600.0
LONGEST_PAUSE = 60.0


def owner_name() -> str:
    """This process among all trainers; another process never has the same name."""
    return f"{socket.gethostname()[:80]}-{os.getpid()}-{secrets.token_hex(4)}"


class RefitLoop:
    """All that a trainer does beside storing ratings."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        storage: StorageSettings,
        settings: TrainingSettings,
        stop: asyncio.Event,
    ) -> None:
        self.database, self.storage, self.settings, self.stop = database, storage, settings, stop
        self.board = LoopBoard(redis, storage)
        self.registry = Registry(database, self.board, storage)
        self.summing = Summing(database, storage, settings)
        self.news = News(self.board)
        self.by_hand = forgetting.ByHand(storage.dir)
        self.running = Running(
            database=database,
            registry=self.registry,
            news=self.news,
            storage=storage,
            settings=settings,
            owner=owner_name(),
            stop=stop,
        )
        self.busy: set[str] = set()

    async def run(self) -> None:
        """Until `stop`."""
        if not self.settings.refits or importlib.util.find_spec("torch") is None:
            log.info("this trainer stores ratings only", refits=self.settings.refits)
            return
        await asyncio.gather(
            self._forever("jobs", self.settings.poll_seconds, self._job),
            self._forever("triggers", min(10.0, self.settings.poll_seconds * 3), self._triggers),
            self._forever("summary", min(10.0, self.settings.poll_seconds * 3), self._summary),
            self._forever("canary", CANARY_SECONDS, self._canary),
            self._forever("minute", MINUTE, self._minute),
            self._forever("hour", HOUR, self._hour),
        )

    async def _forever(self, name: str, every: float, doing: Callable[[], Awaitable[None]]) -> None:
        """Do something again and again; after an error the pauses grow."""
        pause = every
        while not self.stop.is_set():
            try:
                await doing()
                pause = every
            except Exception as error:  # one fault must end neither the other duties nor the ratings
                log.warning("trainer's duty failed", duty=name, error=type(error).__name__, text=str(error)[:300])
                pause = min(LONGEST_PAUSE, max(pause * 2, 1.0))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), pause)

    async def _job(self) -> None:
        """The oldest job that nobody works on, to its end."""
        async with self.database.view() as unit:
            if not await unit.jobs.waiting():
                return
        async with self.database.unit() as unit:
            row = await unit.jobs.claim(self.running.owner, self.settings.lease_seconds)
            await unit.commit()
        if row is None:
            return
        self.busy.add(row.job_id)
        try:
            await self.running.work(row)
        finally:
            self.busy.discard(row.job_id)

    async def _triggers(self) -> None:
        if self.settings.schedule or self.settings.min_ratings:
            await triggers.look(self.database, self.settings, self.summing.newest)

    async def _summary(self) -> None:
        found = await self.summing.look(env_of(self.storage, self.settings))
        if found is not None:
            await self.news.summary(found)

    async def _canary(self) -> None:
        from training.cycle import canary_watch  # numpy: a trainer that only stores ratings may be without

        await canary_watch.watch_once(self.database, self.registry, self.board, self.settings)

    async def _minute(self) -> None:
        """What heals after a crash between SQL and Redis, and what must not wait."""
        if self.summing.newest is not None:
            # Nothing changed, but somebody looked: the panel tells how old a summary is.
            await self.news.summary(self.summing.newest.model_copy(update={"at": now()}))
        await self.registry.publish()
        await forgetting.purge_all(self.database, self.storage.dir, self.busy)
        await self.by_hand.look(self.database)

    async def _hour(self) -> None:
        await tidying.tidy(self.database, self.registry, self.storage, self.settings)
