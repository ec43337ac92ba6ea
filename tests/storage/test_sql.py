"""The SQL side: migrations, units of work, ratings. On SQLite, and on Postgres where it is installed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from storage.contracts import Rating, RatingSource, RatingStars, now
from storage.database import Database, Unit, upgrade
from storage.repositories.ratings import current
from storage.tables import Row

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'otklik.sqlite3'}"


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    await upgrade(url)
    database = Database(url)
    yield database
    await database.close()


def rating(number: int, **said: Any) -> Rating:
    values: dict[str, Any] = {
        "rating_id": f"r{number}",
        "chat_id": -1001234567890,
        "message_id": 5,
        "user_id": 7_000_000_000,
        "request_id": "one",
        "created_at": START + timedelta(seconds=number),
        **said,
    }
    return Rating(**values)


async def ensure_chat(unit: Unit, chat_id: int) -> None:
    await unit.chats.ensure(chat_id, kind="private", emotion="joy", intensity=2)


async def test_upgrading_twice_and_at_once_gives_the_schema_of_the_tables(url: str) -> None:
    await upgrade(url)
    await asyncio.gather(upgrade(url), upgrade(url))
    database = Database(url)

    def differences(connection: Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), Row.metadata)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_a_unit_rolls_back_unless_it_is_committed(database: Database) -> None:
    async with database.unit() as unit:
        await ensure_chat(unit, 1)
    with pytest.raises(RuntimeError):
        async with database.unit() as unit:
            await ensure_chat(unit, 2)
            raise RuntimeError
    async with database.unit() as unit:
        await ensure_chat(unit, 3)
        await unit.commit()
    async with database.view() as unit:
        assert [await unit.chats.get(chat) is not None for chat in (1, 2, 3)] == [False, False, True]


async def test_a_message_is_stored_once(database: Database) -> None:
    async with database.unit() as unit:
        assert await unit.inbox.add(1, 10, 7, "привет")
        assert not await unit.inbox.add(1, 10, 7, "привет")
        assert await unit.inbox.add(2, 10, 7, "в другом чате")
        await unit.commit()
    async with database.view() as unit:
        assert [row.text for row in await unit.inbox.waiting(1)] == ["привет"]
        assert sorted(await unit.inbox.chats_waiting()) == [1, 2]


async def test_counting_at_once_loses_nothing(database: Database) -> None:
    async def count() -> None:
        async with database.unit() as unit:
            await unit.counters.add("things")
            await unit.commit()

    await count()
    await asyncio.gather(*(count() for _ in range(20)))
    async with database.view() as unit:
        assert await unit.counters.get("things") == 21


async def test_moments_keep_their_zone(database: Database) -> None:
    before = now()
    async with database.unit() as unit:
        await unit.people.consent(7, True)
        await unit.commit()
    async with database.view() as unit:
        person = await unit.people.get(7)
    assert person is not None and person.consent_at is not None
    assert before <= person.consent_at <= now()


async def test_the_last_rating_wins_and_the_history_is_kept(database: Database) -> None:
    late, early = rating(2, thumb=-1), rating(1, thumb=1, stars=RatingStars(style=4))
    async with database.unit() as unit:
        assert await unit.ratings.store(late)
        assert await unit.ratings.store(early)
        assert not await unit.ratings.store(late)
        await unit.commit()
    async with database.view() as unit:
        (row,) = await unit.ratings.all()
        assert (row.thumb, row.stars and row.stars["style"]) == (-1, 4)
        assert [r.rating_id for r in await unit.ratings.history(row.chat_id, row.message_id, row.user_id)] == [
            "r1",
            "r2",
        ]


async def test_ratings_on_their_way_are_not_stored_after_forget(database: Database) -> None:
    async with database.unit() as unit:
        await unit.ratings.store(rating(1, thumb=1))
        await unit.people.ensure(7_000_000_000)
        await unit.ratings.forget(7_000_000_000)
        await unit.people.forget(7_000_000_000)
        await unit.commit()
    async with database.unit() as unit:
        assert not await unit.ratings.store(rating(2, thumb=1))
        assert await unit.ratings.store(rating(3, thumb=1, created_at=now() + timedelta(seconds=1)))
        await unit.commit()
    async with database.view() as unit:
        assert [row.thumb for row in await unit.ratings.all()] == [1]


async def test_variants_are_judged_apart_and_a_preference_turns_around(database: Database) -> None:
    async with database.unit() as unit:
        await unit.ratings.store(rating(1, request_id="one", thumb=-1))
        await unit.ratings.store(rating(2, request_id="two", thumb=1, preferred_over="one"))
        await unit.ratings.store(rating(3, request_id="one", preferred_over="two", source=RatingSource.REGENERATE))
        await unit.commit()
    async with database.view() as unit:
        found = {row.request_id: (row.thumb, row.preferred_over) for row in await unit.ratings.all()}
    assert found == {"one": (-1, "two"), "two": (1, None)}


said = st.fixed_dictionaries(
    {},
    optional={
        "thumb": st.sampled_from([-1, 0, 1]),
        "reason": st.sampled_from(["", "wrong_emotion"]),
        "stars": st.builds(RatingStars, content=st.none() | st.integers(1, 5), style=st.none() | st.integers(1, 5)),
        "request_id": st.sampled_from(["one", "two"]),
    },
)


@given(st.lists(said, min_size=1, max_size=8))
def test_what_was_said_last_of_each_thing_stands(sayings: list[dict[str, Any]]) -> None:
    history = [rating(number, **words) for number, words in enumerate(sayings)]
    for request_id, merged in current(history).items():
        about = [r for r in history if r.request_id == request_id]
        for name in ("thumb", "reason"):
            values = [getattr(r, name) for r in about if getattr(r, name) is not None]
            assert getattr(merged, name) == (values[-1] if values else None)
        content = [r.stars.content for r in about if r.stars and r.stars.content is not None]
        assert (merged.stars.content if merged.stars else None) == (content[-1] if content else None)


async def test_the_lock_of_another_process_is_waited_for_with_the_loop_free(tmp_path: Path) -> None:
    path = tmp_path / "otklik.sqlite3"
    await upgrade(f"sqlite+aiosqlite:///{path}")
    database = Database(f"sqlite+aiosqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ticks = 0

    async def write() -> None:
        async with database.unit() as unit:
            await unit.people.consent(7, True)
            await unit.commit()

    writing = asyncio.create_task(write())
    while ticks < 20:
        await asyncio.sleep(0.01)
        ticks += 1
        async with database.view() as unit:
            assert await unit.people.get(7) is None
    assert not writing.done()
    other.execute("COMMIT")
    await asyncio.wait_for(writing, 5)
    other.close()
    async with database.view() as unit:
        assert await unit.people.get(7) is not None
    await database.close()
