"""Short-lived tokens of the operators' widget, so that no key ever gets into a browser.

A token is random; Redis keeps only its SHA-256 and what it stands for, until it is over. It knows no request.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

from redis.asyncio import Redis

from storage.keys import Keys

PREFIX = "otw_"
REACHED = frozenset({("POST", "/v1/suggestions"), ("POST", "/v1/ratings"), ("GET", "/v1/knowledge")})


@dataclass(frozen=True, slots=True)
class WidgetSession:
    """What a token stands for: a key's id, who sits there, and the models compared."""

    key_id: str
    operator: str
    models: tuple[str, ...]


class WidgetTokens:
    """Makes and finds tokens."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def make(self, session: WidgetSession, seconds: int) -> str:
        """A token that is good for so many seconds."""
        token = PREFIX + secrets.token_urlsafe(32)
        told = {"key": session.key_id, "operator": session.operator, "models": session.models}
        await self.redis.set(self._place(token), json.dumps(told, ensure_ascii=False), ex=seconds)
        return token

    async def find(self, token: str) -> WidgetSession | None:
        """What a token stands for; None if it is over or was never made."""
        raw = await self.redis.get(self._place(token))
        if not raw:
            return None
        told = json.loads(raw)
        return WidgetSession(told["key"], told["operator"], tuple(told["models"]))

    def _place(self, token: str) -> str:
        return self.keys.widget(hashlib.sha256(token.encode()).hexdigest())


def reachable(method: str, path: str) -> bool:
    """Whether a token may call this; everything else needs a key."""
    return (method, path) in REACHED
