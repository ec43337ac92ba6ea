"""Who looks at the dashboard: an admin key or an operator's Telegram account, remembered by a cookie.

A session is a random name in a cookie; what it stands for lies in Redis and is checked again on every call, so that a
revoked key or a removed operator is out at once. Forms carry a token of the session against forged requests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta

from aiogram.utils.web_app import safe_parse_webapp_init_data
from fastapi import Request, Response
from redis.asyncio import Redis

from bot.api.access import Gatekeeper
from bot.settings import BotSettings
from storage.contracts import now
from storage.keys import Keys

COOKIE = "otklik"
LASTS = 12 * 3600
# Telegram signs when the page is opened; what is older may have been copied.
FRESH = timedelta(minutes=10)


class SignIn(Exception):
    """Nobody known is looking: the way in has to be shown."""


class Forged(Exception):
    """A form was not sent from a page of this session."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `actor` goes into the audit."""

    session: str
    actor: int
    name: str
    csrf: str


class Sessions:
    """Opens, finds and ends sessions."""

    def __init__(self, redis: Redis, keys: Keys, gatekeeper: Gatekeeper, bot: BotSettings | None) -> None:
        self.redis = redis
        self.keys = keys
        self.gatekeeper = gatekeeper
        self.bot = bot

    async def by_key(self, presented: str) -> str | None:
        """A session for an admin key; None if it is none."""
        caller = await self.gatekeeper.caller(presented.strip())
        if caller is None or "admin" not in caller.scopes:
            return None
        return await self._open({"actor": caller.chat_id, "name": f"ключ {caller.key_id}", "key": caller.key_id})

    async def by_telegram(self, init_data: str) -> str | None:
        """A session for an operator who opened the page in Telegram; None if Telegram's signature does not say so.

        A signature opens one session: whoever copied it comes too late.
        """
        if self.bot is None or self.bot.token is None:
            return None
        try:
            told = safe_parse_webapp_init_data(self.bot.token.get_secret_value(), init_data)
        except ValueError:
            return None
        if told.user is None or told.user.id not in self.bot.admins or now() - told.auth_date > FRESH:
            return None
        seen = self.keys.session(f"signed-{told.hash}")
        if not await self.redis.set(seen, "1", nx=True, ex=int(FRESH.total_seconds()) + 60):
            return None
        return await self._open({"actor": told.user.id, "name": "Telegram", "user": told.user.id})

    async def viewer(self, request: Request) -> Viewer:
        """Who looks, checked anew. SignIn if nobody known."""
        session = request.cookies.get(COOKIE, "")
        raw = await self.redis.get(self._place(session)) if 20 <= len(session) <= 64 else None
        if not raw:
            raise SignIn
        told = json.loads(raw)
        if not await self._still(told):
            await self.end(session)
            raise SignIn
        return Viewer(session, int(told["actor"]), str(told["name"]), str(told["csrf"]))

    async def end(self, session: str) -> None:
        """Leave."""
        await self.redis.delete(self._place(session))

    async def _still(self, told: dict[str, object]) -> bool:
        if "user" in told:
            return self.bot is not None and told["user"] in self.bot.admins
        async with self.gatekeeper.database.view() as unit:
            row = await unit.api_keys.get(str(told.get("key", "")))
        return row is not None and row.revoked_at is None and "admin" in row.scopes

    async def _open(self, told: dict[str, object]) -> str:
        session = secrets.token_urlsafe(32)
        kept = json.dumps({**told, "csrf": secrets.token_urlsafe(24)}, ensure_ascii=False)
        await self.redis.set(self._place(session), kept, ex=LASTS)
        return session

    def _place(self, session: str) -> str:
        """Redis knows a hash only: whoever reads it cannot become anybody."""
        return self.keys.session(hashlib.sha256(session.encode()).hexdigest())


def remember(request: Request, response: Response, session: str) -> None:
    """Put the cookie. Over https it is kept for the frame that Telegram's web version opens, too."""
    https = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(
        COOKIE,
        session,
        max_age=LASTS,
        path="/dashboard",
        httponly=True,
        secure=https,
        samesite="none" if https else "strict",
    )
    if https:
        # Browsers that keep no cookies of frames keep those that belong to one page around them.
        response.headers["set-cookie"] += "; Partitioned"


def same_form(viewer: Viewer, token: str) -> None:
    """Forged unless a form carries the session's own token."""
    if not hmac.compare_digest(viewer.csrf.encode(), token.encode()):
        raise Forged
