"""Ratings into SQL, on SQLite and Postgres: one that the database refuses does not hold up the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from storage.contracts import Rating
from storage.database import Database, upgrade
from storage.ratings import RatingBook
from storage.ratings_sink import drain_once
from storage.settings import StorageSettings
from storage.tables import RatingHistoryRow


def rating(number: int, **said: object) -> Rating:
    return Rating.model_validate(
        {"rating_id": str(number), "chat_id": 1, "message_id": number, "user_id": 7, "request_id": "r", "thumb": 1}
        | said
    )


async def _carry(book: RatingBook, url: str) -> int:
    await upgrade(url)
    database = Database(url)
    try:
        await drain_once(book, database, "a")
        async with database.view() as unit:
            return await unit.session.scalar(select(func.count()).select_from(RatingHistoryRow)) or 0
    finally:
        await database.close()


async def test_all_ratings_arrive(redis: Redis, storage_settings: StorageSettings, tmp_path: Path) -> None:
    book = RatingBook(redis, storage_settings)
    await book.stream.ensure()
    for number in range(20):
        await book.submit(rating(number))
    assert await _carry(book, f"sqlite+aiosqlite:///{tmp_path / 'x.sqlite3'}") == 20
    assert await book.stream.outstanding() == 0


@pytest.mark.postgres
async def test_a_rating_that_postgres_refuses_is_buried_alone(
    redis: Redis, storage_settings: StorageSettings, postgres_url: str
) -> None:
    book = RatingBook(redis, storage_settings)
    await book.stream.ensure()
    for number in range(10):
        await book.submit(rating(number, correction="нуль \0 внутри" if number == 4 else None))
    assert await _carry(book, postgres_url) == 9
    assert await book.stream.outstanding() == 0
    found: Any = await redis.xrange(book.keys.dead("ratings"))
    (dead,) = found
    assert "refused by SQL" in dead[1]["reason"]
    assert "нуль" not in dead[1]["data"]
