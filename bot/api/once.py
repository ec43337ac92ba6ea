"""Idempotency-Key: a POST that is repeated with the same key has one effect and one answer.

Answers are kept in Redis for `API_REMEMBER_SECONDS`, by caller and key, with a fingerprint of the body.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

from bot.api.access import Caller
from bot.api.problems import Problem
from storage.keys import Keys

# As long as a request may take; a process that died meanwhile frees the key by that.
RUNNING = 300
LONGEST = 200


class Once:
    """Remembers answers."""

    def __init__(self, redis: Redis, keys: Keys, remember: int) -> None:
        self.redis = redis
        self.keys = keys
        self.remember = remember

    async def earlier(self, caller: Caller, key: str | None, body: Any) -> dict[str, Any] | None:
        """The answer that this key had before; None: it is new, and now taken. Without a key always None.

        409 while the first request runs; 422 if the key came with another body.
        """
        if key is None:
            return None
        if not 0 < len(key) <= LONGEST:
            raise Problem(422, "idempotency_key", f"Idempotency-Key is 1 to {LONGEST} characters")
        place, mark = self.keys.once(caller.key_id, _hash(key)), _hash(body)
        fresh = await self.redis.set(place, json.dumps({"mark": mark}), nx=True, ex=RUNNING)
        if fresh:
            return None
        known = json.loads(await self.redis.get(place) or "{}")
        if known.get("mark") != mark:
            raise Problem(422, "idempotency_key_reused", "this Idempotency-Key came with another body before")
        if "answer" not in known:
            detail = "the first request with this Idempotency-Key still runs"
            raise Problem(409, "idempotency_key_running", detail, headers={"Retry-After": "1"})
        answer: dict[str, Any] = known["answer"]
        return answer

    async def keep(self, caller: Caller, key: str | None, body: Any, answer: dict[str, Any]) -> None:
        """Remember the answer of a key that was taken."""
        if key is not None:
            kept = json.dumps({"mark": _hash(body), "answer": answer}, ensure_ascii=False)
            await self.redis.set(self.keys.once(caller.key_id, _hash(key)), kept, ex=self.remember)

    async def free(self, caller: Caller, key: str | None) -> None:
        """Let a key be used again: its request came to nothing."""
        if key is not None:
            await self.redis.delete(self.keys.once(caller.key_id, _hash(key)))

    async def run(
        self, caller: Caller, key: str | None, body: Any, work: Callable[[], Awaitable[dict[str, Any]]]
    ) -> tuple[dict[str, Any], bool]:
        """The answer, and whether it is one from before."""
        known = await self.earlier(caller, key, body)
        if known is not None:
            return known, True
        try:
            answer = await work()
        except BaseException:
            await self.free(caller, key)
            raise
        await self.keep(caller, key, body, answer)
        return answer, False


def _hash(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
