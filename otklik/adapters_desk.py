"""What every `otklik adapters` command works with: the registry, and names as an operator writes them."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError
from sqlalchemy.engine import URL, make_url

from storage.contracts import JobState, Loaded, Serving
from storage.database import Database, Unit, upgrade
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.loop_tables import AdapterRow
from storage.redis import connect
from storage.registry import Also, Registry
from storage.repositories.presets import merged_presets
from storage.repositories.slots import SHARED
from storage.settings import StorageSettings

BY_HAND = "command line"


class Refused(ValueError):
    """The command cannot be done; the text says why."""


@dataclass(frozen=True)
class Desk:
    """What every sub-command works with."""

    given: argparse.Namespace
    settings: StorageSettings
    database: Database
    registry: Registry
    board: LoopBoard | None

    @property
    def reason(self) -> str:
        """What the history says."""
        return f"{BY_HAND}: {self.given.reason}" if self.given.reason else BY_HAND

    async def find(self, name: str) -> AdapterRow:
        """The adapter of an id or of its clear beginning."""
        async with self.database.view() as unit:
            rows = await unit.adapters.all()
        found = [row for row in rows if row.adapter_id == name] or [
            row for row in rows if row.adapter_id.startswith((name, f"a-{name}"))
        ]
        if len(found) != 1:
            many = f"{name!r} may be {', '.join(row.adapter_id for row in found[:5])}: write more of it"
            raise Refused(many if found else f"there is no adapter {name!r}: `otklik adapters list --all` names them")
        return found[0]

    def deciding(self, adapter: str | None, slot: str, state: JobState) -> Also:
        """What a change of pointers is for refits, in its own unit: the one that made the adapter comes to `state`, and
        one whose canary has to give way is over. A slot with a refit that waits for a decision gets no other."""

        async def also(unit: Unit) -> None:
            row = await unit.adapters.get(adapter) if adapter is not None else None
            own = row.job_id if row is not None else None
            found = await unit.slots.get(slot)
            tried = found.canary_job if found is not None else None
            await _move(unit, own, slot, state, self.reason)
            if tried is not None and tried != own:
                await _move(unit, tried, slot, JobState.REJECTED, f"{self.reason}: gave way")

        return also

    async def target(self, name: str) -> str | None:
        """An adapter's whole id; None for the worker's own."""
        return None if name == "none" else (await self.find(name)).adapter_id

    async def slot(self) -> str:
        """The slot that was named, if there can be one."""
        name = str(self.given.slot)
        async with self.database.view() as unit:
            known = [
                SHARED,
                *(preset.id for preset in (await merged_presets(unit, self.settings.load_presets())).presets),
            ]
            known += [row.name for row in await unit.slots.all()]
        if name not in known:
            raise Refused(f"there is no slot {name!r}: it is one of {', '.join(dict.fromkeys(known))}")
        return name

    async def loaded(self) -> dict[str, Loaded]:
        """What workers said that they serve; empty without Redis."""
        with suppress(RedisError, OSError):
            return await self.board.loaded() if self.board else {}
        return {}

    async def told(self, serving: Serving) -> str:
        """Whether workers know of a change."""
        if self.board is None:
            return "Workers hear of it when a trainer runs: STORAGE_REDIS_URL is not set here."
        with suppress(RedisError, OSError):
            said = await self.board.serving()
            if said is not None and said.revision >= serving.revision:
                return f"Workers were told (revision {serving.revision}); `otklik adapters list` shows who serves it."
        return "Redis does not answer: workers hear of it when a trainer runs and reaches it."


def _there(url: URL) -> bool:
    """Whether a database may be there; a SQLite file shows."""
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


@asynccontextmanager
async def opened(given: argparse.Namespace) -> AsyncIterator[Desk]:
    """Database, and the board if there is one."""
    settings = StorageSettings()
    url = make_url(settings.database())
    if given.command != "add" and not _there(url):
        raise Refused(f"there is no database at {url.database}: nothing was stored yet, or STORAGE_DIR is another one")
    await upgrade(settings.database())
    async with AsyncExitStack() as stack:
        database = Database(settings.database())
        stack.push_async_callback(database.close)
        embedded = EmbeddedRedis(settings.dir / "redis")
        board = None
        # `otklik up` on this machine has a server of its own, whose socket tells that it may run.
        if settings.redis_url is not None or embedded.socket.is_socket():
            client = connect(settings.redis() if settings.redis_url is not None else embedded.url, connections=2)
            stack.push_async_callback(client.aclose)
            board = LoopBoard(client, settings)
        yield Desk(given, settings, database, Registry(database, board, settings), board)


async def _move(unit: Unit, job_id: str | None, slot: str, state: JobState, note: str) -> None:
    """A refit of the slot that waits for a decision, or whose canary runs, is decided on."""
    job = await unit.jobs.lock(job_id) if job_id is not None else None
    if job is not None and job.slot == slot and job.state in (JobState.GATED, JobState.CANARY):
        await unit.jobs.move(job.job_id, state, note)
