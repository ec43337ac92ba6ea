"""The trainer process: ratings reach SQL once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from redis.asyncio import Redis

from storage.contracts import Rating
from storage.database import Database, upgrade
from storage.embedded import EmbeddedRedis
from storage.ratings import RatingBook
from storage.settings import StorageSettings
from training.trainer import run

TOTAL = 200


def rating(number: int) -> Rating:
    return Rating(
        rating_id=f"tap-{number}",
        chat_id=1,
        message_id=number,
        user_id=7,
        request_id=f"request-{number}",
        thumb=1 if number % 2 else -1,
    )


async def stored(settings: StorageSettings) -> int:
    from sqlalchemy import text

    database = Database(settings.database())
    async with database.view() as unit:
        count = (await unit.session.execute(text("SELECT count(*) FROM rating_history"))).scalar_one()
    await database.close()
    return int(count)


async def until_stored(settings: StorageSettings, wanted: int, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while await stored(settings) < wanted:
        assert time.monotonic() < end, f"{await stored(settings)} of {wanted} stored"
        await asyncio.sleep(0.1)


async def test_a_killed_trainer_and_a_killed_server_lose_no_rating(
    redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings, tmp_path: Path
) -> None:
    await upgrade(storage_settings.database())
    book = RatingBook(redis, storage_settings)
    env = os.environ | {
        "STORAGE_DIR": str(tmp_path),
        "STORAGE_REDIS_URL": embedded.url,
        "STORAGE_LEASE_SECONDS": "0.5",
    }
    command = [sys.executable, "-m", "otklik", "trainer"]
    trainer = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for number in range(TOTAL):
            await book.submit(rating(number))
            await book.submit(rating(number))  # the same tap, delivered twice
            if number == TOTAL // 3:
                await until_stored(storage_settings, 1)
                trainer.send_signal(signal.SIGKILL)
                trainer.wait()
                trainer = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if number == 2 * TOTAL // 3:
                await embedded.kill()
                await embedded.start()
        await until_stored(storage_settings, TOTAL)
    finally:
        trainer.terminate()
        assert trainer.wait(10) == 0
    assert await stored(storage_settings) == TOTAL
    assert await book.stream.outstanding() == 0


async def test_ratings_wait_while_the_server_is_away(
    redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings
) -> None:
    await upgrade(storage_settings.database())
    stop = asyncio.Event()
    task = asyncio.create_task(run(storage_settings, stop))
    await RatingBook(redis, storage_settings).submit(rating(1))
    await until_stored(storage_settings, 1)
    await embedded.kill()
    await asyncio.sleep(0.5)
    await embedded.start()
    await RatingBook(redis, storage_settings).submit(rating(2))
    await until_stored(storage_settings, 2, seconds=30)
    stop.set()
    await asyncio.wait_for(task, 10)
