"""`otklik trainer`: the process that turns what people say of answers into training data and, later, into adapters.

It carries ratings from the Redis stream into SQL, always, and beside that orders and runs refits (`training.cycle`),
whose steps are processes of their own: torch never enters this one. Knows nothing of Telegram.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys

import structlog
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database, upgrade
from storage.ratings import RatingBook
from storage.ratings_sink import drain_once
from storage.ready import beat, notify_ready
from storage.redis import connect
from storage.settings import NO_REDIS, StorageSettings
from training.cycle.loop import RefitLoop
from training.settings import TrainingSettings

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
# Shorter than the patience of whoever supervises this process.
LONGEST_FAREWELL = 4.5


async def run(settings: StorageSettings, stop: asyncio.Event, training: TrainingSettings | None = None) -> None:
    """Store ratings and, with `training`, refit until `stop`. When Redis or SQL is away it waits and goes on: ratings
    wait in the stream, jobs in SQL."""
    await upgrade(settings.database())
    database = Database(settings.database())
    client = connect(settings.redis(), connections=8)
    book = RatingBook(client, settings)
    refits = None
    if training is not None:
        refits = asyncio.create_task(RefitLoop(database, client, settings, training, stop).run())
    notify_ready("ratings are stored")
    try:
        await _store(book, database, stop)
        if refits is not None:
            # A step saves what it has and the job is given back; what takes longer is cut off, nothing is lost by it.
            await asyncio.wait({refits}, timeout=LONGEST_FAREWELL)
    finally:
        if refits is not None:
            refits.cancel()
            await asyncio.gather(refits, return_exceptions=True)
        await client.aclose()
        await database.close()


async def _store(book: RatingBook, database: Database, stop: asyncio.Event) -> None:
    consumer = f"{socket.gethostname()}-{os.getpid()}"
    pause = FIRST_PAUSE
    while not stop.is_set():
        beat("trainer")
        try:
            stored = await drain_once(book, database, consumer, block=1.0)
        except (RedisError, SQLAlchemyError, OSError) as error:
            log.warning("ratings wait", error=type(error).__name__, pause=pause)
            await _wait(stop, pause)
            pause = min(LONGEST_PAUSE, pause * 2)
            continue
        pause = FIRST_PAUSE
        if stored:
            log.info("ratings stored", count=stored)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _main(settings: StorageSettings, training: TrainingSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop, training)


def main(argv: list[str]) -> int:
    """Entry of `otklik trainer`."""
    argparse.ArgumentParser(prog="otklik trainer", description=__doc__).parse_args(argv)
    settings, training = StorageSettings(), TrainingSettings()
    if settings.redis_url is None:
        print(f"otklik: {NO_REDIS}", file=sys.stderr)
        return 2
    asyncio.run(_main(settings, training))
    return 0
