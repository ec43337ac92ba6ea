"""What the bot waits for from a person in a chat («your next message is the persona»), in Redis for ten minutes."""

from __future__ import annotations

from redis.asyncio import Redis

from storage.keys import Keys

PERSONA = "persona"
PATIENCE = 600


class Waiting:
    """One thing at a time per person and chat."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def set(self, chat_id: int, user_id: int, what: str) -> None:
        """Wait for `what`."""
        await self.redis.set(self.keys.fsm(chat_id, user_id), what, ex=PATIENCE)

    async def get(self, chat_id: int, user_id: int) -> str | None:
        """What is waited for."""
        found = await self.redis.get(self.keys.fsm(chat_id, user_id))
        return str(found) if found else None

    async def clear(self, chat_id: int, user_id: int) -> bool:
        """Wait no longer; whether anything was waited for."""
        return bool(await self.redis.delete(self.keys.fsm(chat_id, user_id)))
