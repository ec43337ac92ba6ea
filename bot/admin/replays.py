"""Makes an answer again, as it was made: same turns, emotion, adapter and seed, through the workers' queue.

The reply comes by a line of this process's own, so no dialogue, rating or statistic learns of it. Which answers an
operator may repeat is what they were shown: that is remembered, since request ids can be guessed.
"""

from __future__ import annotations

import secrets
import time
from datetime import timedelta

from redis.asyncio import Redis

from storage.contracts import ChatReply, ChatRequest, Provenance, ReplyState, now
from storage.direct import DirectLine
from storage.keys import Keys
from storage.replay import again, differences
from storage.tables import ReplyRow

WEEK = 7 * 86400
PATIENCE = timedelta(seconds=120)


class Unrepeatable(Exception):
    """The answer's request is not kept (any more), or it was not generated."""


class Repeated:
    """What came of it: `reply`, whether its text is the same to the byte, what was not the same, seconds."""

    def __init__(self, row: ReplyRow, reply: ChatReply, seconds: float) -> None:
        self.reply = reply
        self.seconds = seconds
        self.same = reply.state is ReplyState.DONE and reply.text.encode() == row.text.encode()
        first = Provenance.model_validate(row.provenance)
        self.different = differences(first, reply.provenance) if reply.provenance is not None else ()


class Replays:
    """Remembers what was shown to whom, and repeats it."""

    def __init__(self, redis: Redis, keys: Keys, line: DirectLine) -> None:
        self.redis = redis
        self.keys = keys
        self.line = line
        self._busy: set[int] = set()

    async def allow(self, admin: int, request_id: str) -> None:
        """This operator was shown this answer."""
        key = self.keys.fsm("admin-why", admin)
        await self.redis.sadd(key, request_id)
        await self.redis.expire(key, WEEK)

    async def allowed(self, admin: int, request_id: str) -> bool:
        """Whether the operator was shown this answer."""
        return bool(await self.redis.sismember(self.keys.fsm("admin-why", admin), request_id))

    def begin(self, admin: int) -> bool:
        """One at a time for an operator; False while one is made."""
        if admin in self._busy:
            return False
        self._busy.add(admin)
        return True

    def end(self, admin: int) -> None:
        """Made, or given up."""
        self._busy.discard(admin)

    async def repeat(self, row: ReplyRow) -> Repeated:
        """Make it again. Unrepeatable; QueueFull; NoAnswer when no worker answers in time."""
        if row.request is None or row.provenance is None:
            raise Unrepeatable
        request = again(
            ChatRequest.model_validate(row.request),
            _as_reply(row),
            request_id=f"replay-{secrets.token_hex(10)}",
            deadline=now() + PATIENCE,
            route=self.line.route,
        )
        began = time.monotonic()
        reply = await self.line.ask(request)
        return Repeated(row, reply, time.monotonic() - began)


def _as_reply(row: ReplyRow) -> ChatReply:
    return ChatReply.model_validate(
        {
            "request_id": row.request_id,
            "chat_id": row.chat_id,
            "state": row.state,
            "text": row.text,
            "emotion": row.emotion,
            "intensity": row.intensity,
            "fit": row.fit,
            "fit_ok": row.fit_ok,
            "candidates": row.candidates,
            "provenance": row.provenance,
        }
    )
