"""A registry to test with: on SQLite and Postgres, with the real board."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from storage.database import Database, upgrade
from storage.loop_board import LoopBoard
from storage.registry import Registry
from storage.settings import StorageSettings
from tests.storage.adapter_folders import lora


@dataclass
class Shop:
    """A registry with short ways to look at it."""

    registry: Registry
    database: Database
    board: LoopBoard
    folder: Path

    async def add(self, name: str, **said: Any) -> str:
        """An adapter whose content is its name."""
        folder = self.folder / name
        if not folder.exists():
            lora(folder, name.encode())
        values = {"kind": "lora", "base": "starter", "method": "kto", **said}
        return (await self.registry.add(folder, **values)).adapter_id

    @property
    def store(self) -> Path:
        """The folder of the adapters' store."""
        return Path(self.registry.address)

    async def active(self, slot: str = "shared") -> str | None:
        """What the board tells workers."""
        serving = await self.board.serving()
        assert serving is not None
        return {one.name: one.active for one in serving.slots}[slot]

    async def states(self) -> dict[str, str]:
        """State by adapter."""
        async with self.database.view() as unit:
            return {row.adapter_id: row.state for row in await unit.adapters.all()}

    async def history(self, slot: str = "shared") -> list[tuple[str, str | None, str | None]]:
        """Oldest first."""
        async with self.database.view() as unit:
            return [(one.action, one.before, one.after) for one in await unit.slots.changes(slot)]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"


@pytest_asyncio.fixture
async def shop(url: str, redis: Redis, storage_settings: StorageSettings, tmp_path: Path) -> AsyncIterator[Shop]:
    await upgrade(url)
    database = Database(url)
    board = LoopBoard(redis, storage_settings)
    yield Shop(Registry(database, board, storage_settings), database, board, tmp_path / "made")
    await database.close()
