"""Calls that outlive an outage of the Redis server. Knows nothing of what they do, but they must be idempotent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

T = TypeVar("T")


async def persist(what: str, call: Callable[[], Awaitable[T]]) -> T:
    """Repeat an idempotent call until the Redis server answers; one warning an outage, one note when it is over."""
    pause = 0.1
    while True:
        try:
            result = await call()
        except RedisError as error:
            if pause == 0.1:
                log.warning("redis does not answer", what=what, error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 2)
        else:
            if pause > 0.1:
                log.info("redis answers again", what=what)
            return result
