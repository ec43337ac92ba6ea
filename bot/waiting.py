"""What the bot waits for from a person in a chat («your next message is the persona»), in Redis for ten minutes."""

from __future__ import annotations

from redis.asyncio import Redis

from storage.keys import Keys

PERSONA = "persona"
PATIENCE = 600
REMEMBER = 86400
TAKEN = "\ntaken by "


class Waiting:
    """One thing at a time per person and chat."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def set(self, chat_id: int, user_id: int, what: str) -> None:
        """Wait for `what`."""
        await self.redis.set(self.keys.fsm(chat_id, user_id), what, ex=PATIENCE)

    async def get(self, chat_id: int, user_id: int, message_id: int | None = None) -> str | None:
        """What is waited for; what was taken is so for the message alone that took it."""
        found = await self.redis.get(self.keys.fsm(chat_id, user_id))
        what, taken, by = str(found or "").partition(TAKEN)
        return what or None if not taken or by == str(message_id) else None

    async def take(self, chat_id: int, user_id: int, what: str, message_id: int) -> None:
        """This message is it: wait no longer, but know the message again if Telegram repeats it."""
        await self.redis.set(self.keys.fsm(chat_id, user_id), f"{what}{TAKEN}{message_id}", ex=REMEMBER)

    async def clear(self, chat_id: int, user_id: int) -> bool:
        """Wait no longer; whether anything was waited for."""
        found = await self.redis.getdel(self.keys.fsm(chat_id, user_id))
        return bool(found) and TAKEN not in str(found)
