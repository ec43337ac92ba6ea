"""Connections to a Redis-protocol server. Knows nothing of keys or queues."""

from __future__ import annotations

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


def connect(url: str, *, connections: int = 64) -> Redis:
    """A client on a blocking pool (more commands than connections wait, they do not fail); text in, text out.

    Commands are retried for about two seconds when the connection breaks, so every command of ours is idempotent:
    pushes carry an id, completions and acknowledgements happen once whatever is repeated.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=30,
        decode_responses=True,
        health_check_interval=15,
        socket_connect_timeout=5,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), 6),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    return Redis.from_pool(pool)
