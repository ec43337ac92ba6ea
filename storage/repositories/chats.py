"""Chats and their settings. `lock` serialises everything that changes a chat's turns."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.repositories.inserting import insert_if_missing
from storage.tables import ChatRow


class Chats:
    """Rows of `chats`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, chat_id: int) -> ChatRow | None:
        """The chat, if known."""
        return await self.session.get(ChatRow, chat_id)

    async def lock(self, chat_id: int) -> ChatRow | None:
        """The chat, locked until the unit ends (a row lock; on SQLite the whole unit is the lock)."""
        return await self.session.scalar(select(ChatRow).where(ChatRow.chat_id == chat_id).with_for_update())

    async def ensure(self, chat_id: int, *, kind: str, emotion: str, intensity: int) -> ChatRow:
        """The chat, locked, with these settings if it is new."""
        chat = await self.lock(chat_id)
        if chat is None:
            new = {"kind": kind, "emotion": emotion, "intensity": intensity, "persona": "", "epoch": 0}
            await insert_if_missing(self.session, ChatRow, chat_id=chat_id, **new)
            chat = await self.session.get_one(ChatRow, chat_id, with_for_update=True)
        return chat

    async def forget(self, chat_id: int) -> None:
        """Remove the chat's settings."""
        await self.session.execute(delete(ChatRow).where(ChatRow.chat_id == chat_id))
