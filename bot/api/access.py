"""Who may do what: the key of a request, its scopes, and how often it may call.

A key is presented as `Authorization: Bearer otk_…`. Checked on every call; limits are shared by all processes.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from redis.asyncio import Redis

from bot.api.edge import LIMITS
from bot.api.problems import Problem
from bot.api.widget_tokens import PREFIX, WidgetTokens, reachable
from bot.limiter import WINDOW
from storage.database import Database
from storage.keys import Keys

log = structlog.get_logger(__name__)

MINUTE = 60.0
ASK_AGAIN = 5.0
bearer = HTTPBearer(auto_error=False, description="A key of `otklik keys make NAME`.", bearerFormat="otk_…")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the key without its secret. `operator` and `models` are set by a token of the widget only."""

    key_id: str
    scopes: frozenset[str]
    rate: int
    chat_id: int
    learn: bool
    operator: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """A counted call: calls that are left in this minute, and seconds until the oldest one no longer counts."""

    allowed: bool
    rate: int
    left: int
    after: int

    @property
    def headers(self) -> dict[str, str]:
        """As IETF's draft of RateLimit header fields has them."""
        return {
            "RateLimit-Policy": f'"minute";q={self.rate};w={int(MINUTE)}',
            "RateLimit": f'"minute";r={self.left};t={self.after}',
        }


class Gatekeeper:
    """Finds callers and counts their calls."""

    def __init__(self, database: Database, redis: Redis, keys: Keys) -> None:
        self.database = database
        self.keys = keys
        self.tokens = WidgetTokens(redis, keys)
        self._window = redis.register_script(WINDOW)
        self._asked: dict[str, tuple[float, bool]] = {}

    async def caller(self, presented: str) -> Caller | None:
        """Whose key or token this is; None if it opens nothing."""
        if presented.startswith(PREFIX):
            return await self._by_token(presented)
        async with self.database.view() as unit:
            row = await unit.api_keys.check(presented)
            if row is None:
                return None
            stale = unit.api_keys.stale(row)
            found = Caller(row.key_id, frozenset(row.scopes), row.rate, row.chat_id, row.learn)
        if stale:
            async with self.database.unit() as unit:
                await unit.api_keys.used(found.key_id)
                await unit.commit()
        return found

    async def in_force(self, key_id: str) -> bool:
        """Whether a key opens anything now, asked of SQL once in ASK_AGAIN seconds however many streams it has open."""
        asked, answer = self._asked.get(key_id, (-ASK_AGAIN, False))
        if time.monotonic() - asked >= ASK_AGAIN:
            async with self.database.view() as unit:
                row = await unit.api_keys.get(key_id)
            answer = row is not None and row.revoked_at is None
            self._asked[key_id] = (time.monotonic(), answer)
        return answer

    async def _by_token(self, presented: str) -> Caller | None:
        told = await self.tokens.find(presented)
        if told is None:
            return None
        async with self.database.view() as unit:
            row = await unit.api_keys.get(told.key_id)
        if row is None or row.revoked_at is not None:
            return None
        scopes = frozenset(row.scopes) & {"chat", "rate"}
        return Caller(row.key_id, scopes, row.rate, row.chat_id, row.learn, told.operator, told.models)

    async def count(self, caller: Caller) -> Count:
        """Count one call of a key."""
        key = self.keys.limit(caller.chat_id)
        allowed, wait, _, left = await self._window(
            keys=[key, f"{key}:told"], args=[time.time(), MINUTE, caller.rate, secrets.token_hex(8)]
        )
        return Count(bool(int(allowed)), caller.rate, int(left), max(1, math.ceil(int(wait) / 1000)))


def needs(*scopes: str) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, if its key has one of the scopes. 401 without a key in force, 429, 403."""

    async def check(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
    ) -> Caller:
        gatekeeper: Gatekeeper = request.app.state.gatekeeper
        caller = await gatekeeper.caller(given.credentials) if given else None
        if given and given.credentials.startswith(PREFIX) and not reachable(request.method, request.url.path):
            raise Problem(403, "widget_token", "a token of the widget does not reach this; use a key")
        if caller is None:
            detail = "send a key in force as «Authorization: Bearer otk_…»; operators make one with `otklik keys make`"
            raise Problem(401, "invalid_api_key", detail, headers={"WWW-Authenticate": "Bearer"})
        count = await gatekeeper.count(caller)
        setattr(request.state, LIMITS, count.headers)
        if not count.allowed:
            detail = f"this key may call {caller.rate} times a minute; try again in {count.after} s"
            raise Problem(429, "rate_limit", detail, headers={"Retry-After": str(count.after)})
        if caller.scopes.isdisjoint(scopes):
            wanted = " or ".join(f"«{scope}»" for scope in scopes)
            log.warning("scope refused", key=caller.key_id, scope=wanted, path=request.url.path)
            raise Problem(403, "scope", f"this key lacks the scope {wanted}; make one that has it")
        return caller

    return check
