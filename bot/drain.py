"""While workers leave their GPU to training, people are told how long that takes, once per drain and chat.

What they write meanwhile is answered afterwards: requests get so much more time. Does not know who trains what.
"""

from __future__ import annotations

from datetime import datetime

from redis.asyncio import Redis

from storage.contracts import now
from storage.keys import Keys
from storage.loop_board import LoopBoard

DAY = 86400


class Drain:
    """`look` is to be called every second or so; the rest goes by what it saw."""

    def __init__(self, redis: Redis, keys: Keys, board: LoopBoard) -> None:
        self.redis = redis
        self.told = keys.fsm("drain-told")
        self.board = board
        self.until: datetime | None = None
        self._looked = False

    async def look(self) -> None:
        """Read the board; when a drain is over, the next one is told of anew."""
        self.until, before = await self.board.draining(), self.until
        if self.until is None and (before is not None or not self._looked):
            await self.redis.delete(self.told)
        self._looked = True

    def seconds_left(self) -> float:
        """How long the drain goes on at most; 0: there is none."""
        return max(0.0, (self.until - now()).total_seconds()) if self.until is not None else 0.0

    async def news_for(self, chat_id: int) -> float | None:
        """Seconds left, if the chat is to be told now; None otherwise."""
        left = self.seconds_left()
        return None if left <= 0 or await self.redis.sismember(self.told, str(chat_id)) else left

    async def was_told(self, chat_id: int) -> None:
        """The chat knows; afterwards, so that a process killed before leaves it to the next one to tell."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.sadd(self.told, str(chat_id))
            pipe.expire(self.told, DAY)
            await pipe.execute()
