"""Carries ratings from the stream to SQL: claim, store, acknowledge. Does not know who rates or why."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from storage.contracts import Rating
from storage.database import Database
from storage.queue import Delivery, Spoiled
from storage.ratings import RatingBook

log = structlog.get_logger(__name__)


async def drain_once(book: RatingBook, database: Database, consumer: str, *, block: float = 0.01) -> int:
    """Store what is there now; how many ratings were new. When Redis or SQL is away the error comes out.

    A rating that SQL itself refuses is buried alone: it must not hold up the others.
    """
    deliveries, spoiled = await book.stream.claim(consumer, count=100, block=block)
    for entry in spoiled:
        await book.stream.bury(entry)
    if not deliveries:
        return 0
    try:
        stored = await _store(database, deliveries)
    except StatementError as error:
        if not refused(error):
            raise
        return await _store_one_by_one(book, database, deliveries)
    for delivery in deliveries:
        await book.stream.ack(delivery.entry)
    return stored


def refused(error: StatementError) -> bool:
    """Whether the database refused these very values, rather than being away or busy."""
    if isinstance(error, (DataError, IntegrityError)):
        return True
    # asyncpg's refusal of a NUL character reaches SQLAlchemy as a bare DBAPIError; a bad parameter as StatementError.
    return type(error) in (DBAPIError, StatementError) and not (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


async def _store(database: Database, deliveries: Sequence[Delivery[Rating]]) -> int:
    async with database.unit() as unit:
        stored = 0
        for delivery in deliveries:
            stored += await unit.ratings.store(delivery.message)
        await unit.commit()
    return stored


async def _store_one_by_one(book: RatingBook, database: Database, deliveries: Sequence[Delivery[Rating]]) -> int:
    stored = 0
    for delivery in deliveries:
        try:
            stored += await _store(database, [delivery])
        except StatementError as error:
            if not refused(error):
                raise
            reason = f"refused by SQL: {type(error.orig or error).__name__}"
            payload = delivery.message.model_dump_json()
            await book.stream.bury(Spoiled(delivery.entry, payload, delivery.deliveries, reason))
        else:
            await book.stream.ack(delivery.entry)
    return stored
