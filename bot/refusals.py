"""Messages that came too fast, known for two days without their words: an edit may bring them in after all.

In Redis, and only a person's last few in a chat: whoever hammers fills nothing. Does not know why they were refused.
"""

from __future__ import annotations

from redis.asyncio import Redis

from storage.keys import Keys

REMEMBER = 48 * 3600
MOST = 50


class Refusals:
    """A sorted set of message ids per chat and person."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def add(self, chat_id: int, user_id: int, message_id: int) -> None:
        """Remember a message, and forget the oldest beyond `MOST`."""
        place = self.keys.refused(chat_id, user_id)
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.zadd(place, {str(message_id): message_id})
            pipe.zremrangebyrank(place, 0, -MOST - 1)
            pipe.expire(place, REMEMBER)
            await pipe.execute()

    async def knows(self, chat_id: int, user_id: int, message_id: int) -> bool:
        """Whether the message was refused lately."""
        return await self.redis.zscore(self.keys.refused(chat_id, user_id), str(message_id)) is not None
