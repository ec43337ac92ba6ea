"""The process that carries ratings into SQL is killed after it read them, in its transaction, and before and amid its
acknowledging: none is lost, each is counted once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from storage.contracts import Rating
from storage.database import Database
from storage.embedded import EmbeddedRedis
from storage.ratings import RatingBook
from storage.settings import StorageSettings
from storage.tables import RatingHistoryRow
from tests.bot.stage import until
from tests.journey.bots import TRAINER, Bots

PEOPLE, ANSWERS = 30, 4
STORE, ACKNOWLEDGE = "storage.repositories.ratings:Ratings.store", "storage.queue:StreamQueue.ack"
# Of a hundred that are read together: before and amid what is stored, before and amid what is acknowledged.
STEPS = (STORE, f"{STORE}@50", ACKNOWLEDGE, f"{ACKNOWLEDGE}@50")


async def judge(book: RatingBook, thumb: int) -> None:
    """Everybody judges every answer."""
    for person in range(PEOPLE):
        for answer in range(ANSWERS):
            about = {"chat_id": person, "message_id": answer, "user_id": person, "request_id": f"{person}-{answer}"}
            await book.submit(
                Rating.model_validate({"rating_id": f"{person}-{answer}-{thumb}", "thumb": thumb, **about})
            )


@pytest.mark.slow
async def test_each_rating_is_stored_once_wherever_its_carrier_is_killed(
    tmp_path: Path, embedded: EmbeddedRedis, redis: Redis, sql: str | None
) -> None:
    storage = StorageSettings(dir=tmp_path, redis_url=embedded.url, database_url=sql, lease_seconds=1.0)
    book = RatingBook(redis, storage)
    await book.stream.ensure()
    async with Bots.of(storage, tmp_path / "trainer.log", TRAINER) as trainers:
        await judge(book, 1)
        for number, step in enumerate(STEPS):
            if number == len(STEPS) // 2:
                await judge(book, -1)
            await trainers.start(step)
            await trainers.hangs()
            trainers.kill()
        await trainers.start()

        async def all_acknowledged() -> bool:
            return await book.stream.outstanding() == 0

        await until(all_acknowledged, within=30)
    database = Database(storage.database())
    async with database.view() as unit:
        stored = Counter(await unit.session.scalars(select(RatingHistoryRow.rating_id)))
        judged = [(row.chat_id, row.message_id, row.thumb) for row in await unit.ratings.all()]
    await database.close()
    assert len(stored) == sum(stored.values()) == 2 * PEOPLE * ANSWERS
    assert sorted(judged) == [(person, answer, -1) for person in range(PEOPLE) for answer in range(ANSWERS)]
