"""Several processes meet the same new person, chat and counter at once, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from storage.database import Database, upgrade

PROCESSES = 8


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def databases(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Database]]:
    """One `Database` a process would have, all on the same data."""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"
    await upgrade(url)
    stores = [Database(url) for _ in range(PROCESSES)]
    yield stores
    await asyncio.gather(*(store.close() for store in stores))


async def test_nobody_fails_and_everything_is_counted(databases: list[Database]) -> None:
    async def meet(store: Database) -> None:
        async with store.unit() as unit:
            await unit.people.ensure(7)
            await unit.chats.ensure(5, kind="private", emotion="joy", intensity=2)
            await unit.counters.add("met")
            await unit.commit()

    await asyncio.gather(*(meet(store) for store in databases))
    async with databases[0].view() as unit:
        assert (await unit.counters.people(), await unit.counters.chats()) == (1, 1)
        assert await unit.counters.get("met") == PROCESSES
