"""Which errors mean «try again», and the waiting between tries. Does not know what is tried.

INFRASTRUCTURE   Redis or SQL is away: nothing is confirmed, try until it is back
UNREACHABLE      Telegram is away or broken: try again; the call may have been carried out all the same
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

import structlog
from aiogram.exceptions import (
    ClientDecodeError,
    RestartingTelegram,
    TelegramEntityTooLarge,
    TelegramNetworkError,
    TelegramServerError,
)
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

log = structlog.get_logger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

INFRASTRUCTURE = (RedisError, OperationalError, InterfaceError, PoolTimeout, ConnectionError)
UNREACHABLE = (TelegramNetworkError, TelegramServerError, RestartingTelegram, ClientDecodeError)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0


def away(error: BaseException) -> bool:
    """Whether Redis or SQL is away, so that doing the same again later makes sense."""
    return isinstance(error, INFRASTRUCTURE) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def unreachable(error: BaseException) -> bool:
    """Whether Telegram is away or broken. What it finds too large stays so, whatever the library calls that error."""
    return isinstance(error, UNREACHABLE) and not isinstance(error, TelegramEntityTooLarge)


def may_have_arrived(error: BaseException) -> bool:
    """Whether Telegram may have carried the call out. A refused connection never got there; anything later may have."""
    return unreachable(error) and not (isinstance(error, TelegramNetworkError) and "Cannot connect" in error.message)


def pause_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row (from 1)."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10)))


async def insist(step: str, work: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
    """Do `work` until Redis and SQL let it happen; `work` must be safe to repeat."""
    failures = 0
    while True:
        try:
            return await work(*args, **named)
        except Exception as error:
            if not away(error):
                raise
            failures += 1
            log.warning("storage away, trying again", step=step, error=type(error).__name__, failures=failures)
            await asyncio.sleep(pause_after(failures))
