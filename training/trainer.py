"""`otklik trainer`: the process that turns what people say of answers into training data and, later, into adapters.

Today it carries ratings from the Redis stream into SQL. Refits are started by `otklik train`.
Knows nothing of Telegram.
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

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0


async def run(settings: StorageSettings, stop: asyncio.Event) -> None:
    """Store ratings until `stop`. When Redis or SQL is away it waits and goes on: ratings wait in the stream."""
    await upgrade(settings.database())
    database = Database(settings.database())
    client = connect(settings.redis(), connections=4)
    book = RatingBook(client, settings)
    consumer = f"{socket.gethostname()}-{os.getpid()}"
    pause = FIRST_PAUSE
    notify_ready("ratings are stored")
    try:
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
    finally:
        await client.aclose()
        await database.close()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _main(settings: StorageSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


def main(argv: list[str]) -> int:
    """Entry of `otklik trainer`."""
    argparse.ArgumentParser(prog="otklik trainer", description=__doc__).parse_args(argv)
    settings = StorageSettings()
    if settings.redis_url is None:
        print(f"otklik: {NO_REDIS}", file=sys.stderr)
        return 2
    asyncio.run(_main(settings))
    return 0
