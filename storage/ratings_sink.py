"""Carries ratings from the stream to SQL: claim, store, acknowledge. Does not know who rates or why."""

from __future__ import annotations

import asyncio

import structlog

from storage.database import Database
from storage.ratings import RatingBook

log = structlog.get_logger(__name__)


async def drain(
    book: RatingBook, database: Database, consumer: str, stop: asyncio.Event, *, block: float = 1.0
) -> None:
    """Store ratings until `stop` is set. Errors of Redis or SQL come out; call again, nothing is lost."""
    await book.stream.ensure()
    while not stop.is_set():
        await drain_once(book, database, consumer, block=block)


async def drain_once(book: RatingBook, database: Database, consumer: str, *, block: float = 0.01) -> int:
    """Store what is there now in one transaction; how many ratings were new."""
    deliveries, spoiled = await book.stream.claim(consumer, count=100, block=block)
    for entry in spoiled:
        await book.stream.bury(entry)
    if not deliveries:
        return 0
    async with database.unit() as unit:
        stored = 0
        for delivery in deliveries:
            stored += await unit.ratings.store(delivery.message)
        await unit.commit()
    for delivery in deliveries:
        await book.stream.ack(delivery.entry)
    return stored
