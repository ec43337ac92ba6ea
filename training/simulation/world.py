"""One simulated installation: embedded server, SQLite, a worker and a trainer as processes of their own, in a folder.

Everything runs as an operator would run it. Knows nothing of people or of what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog
from redis.asyncio import Redis

from storage.conversation import Conversation
from storage.database import Database, upgrade
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.ratings import RatingBook
from storage.redis import connect
from storage.settings import StorageSettings
from training.simulation.errors import WorldBroken

log = structlog.get_logger(__name__)

PREFIXES = ("BOT_", "STORAGE_", "MODELS_", "TRAINING_")
START_SECONDS = 600.0
STOP_SECONDS = 20.0


class World:
    """`async with World(...) as world`: everything runs inside. Stopping leaves all data; the same folder goes on."""

    def __init__(self, folder: Path, worker: Mapping[str, str], trainer: Mapping[str, str]) -> None:
        self.folder = folder.absolute()
        self.server = EmbeddedRedis(self.folder / "redis")
        self.settings = StorageSettings(dir=self.folder, redis_url=self.server.url)
        self.database = Database(self.settings.database())
        self._wanted = {"worker": dict(worker), "trainer": dict(trainer)}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self.redis: Redis

    async def __aenter__(self) -> World:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self.server.start()
        try:
            await upgrade(self.settings.database())
            self.redis = connect(self.server.url, connections=16)
            self.conversation = Conversation(self.redis, self.settings)
            self.book = RatingBook(self.redis, self.settings)
            self.board = LoopBoard(self.redis, self.settings)
            await self.conversation.ensure()
            await self.book.stream.ensure()
            for name, settings in self._wanted.items():
                self._processes[name] = await self._start(name, settings)
            await self._ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop everything; data stays."""
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        for process in self._processes.values():
            await _ended(process)
        self._processes.clear()
        if hasattr(self, "redis"):
            await self.redis.aclose()
        await self.database.close()
        await self.server.stop()

    def check(self) -> None:
        """WorldBroken if a process has ended."""
        for name, process in self._processes.items():
            if process.returncode is not None:
                raise WorldBroken(
                    f"the simulated {name} ended with status {process.returncode}; its log: {self._log(name)}"
                )

    async def workers(self) -> list[str]:
        """Names of the workers that live."""
        return [str(name) for name in await self.redis.zrange(self.conversation.keys.workers(), 0, -1)]

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    async def _start(self, name: str, settings: Mapping[str, str]) -> asyncio.subprocess.Process:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIXES)}
        environment |= {"STORAGE_DIR": str(self.folder), "STORAGE_REDIS_URL": self.server.url, **settings}
        self._log(name).parent.mkdir(exist_ok=True)
        with self._log(name).open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "otklik", name), env=environment, stdout=output, stderr=output
            )

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self.workers():
                    self.check()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise WorldBroken(
                f"no worker got ready within {START_SECONDS:.0f} s; its log: {self._log('worker')}"
            ) from None
        log.info("world ready", folder=self.folder.name)


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    if process.returncode is None:
        process.kill()
        await process.wait()
