"""Incoming messages, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.tables import InboxRow


class Inbox:
    """Rows of `inbox`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, chat_id: int, message_id: int) -> InboxRow | None:
        """The message, if it came in before."""
        return await self.session.scalar(
            select(InboxRow).where(InboxRow.chat_id == chat_id, InboxRow.message_id == message_id)
        )

    async def add(self, chat_id: int, message_id: int, user_id: int, text: str, state: str = "waiting") -> bool:
        """Store a message; False if it was there already (Telegram repeats updates that were not confirmed)."""
        values = {"chat_id": chat_id, "message_id": message_id, "user_id": user_id, "text": text, "state": state}
        insert = self._insert(InboxRow).values(**values, revision=0, created_at=now())
        added = await self.session.execute(insert.on_conflict_do_nothing().returning(InboxRow.id))
        return added.first() is not None

    async def readmit(self, chat_id: int, message_id: int, text: str) -> None:
        """A message that was refused waits after all, with this text; others stay as they are."""
        row = await self.get(chat_id, message_id)
        if row is not None and row.state == "refused":
            row.text, row.state = text, "waiting"

    def _insert(self, table: type[InboxRow]) -> Any:
        """`INSERT` of the database in use: both know `ON CONFLICT`, but not under one roof."""
        return (
            postgresql.insert(table) if self.session.get_bind().dialect.name == "postgresql" else sqlite.insert(table)
        )

    async def waiting(self, chat_id: int) -> Sequence[InboxRow]:
        """Messages of a chat that no turn has taken yet, oldest first."""
        rows = await self.session.scalars(
            select(InboxRow)
            .where(InboxRow.chat_id == chat_id, InboxRow.state == "waiting")
            .order_by(InboxRow.message_id)
        )
        return rows.all()

    async def of_turn(self, turn_id: int) -> Sequence[InboxRow]:
        """The messages that a turn answers, oldest first."""
        rows = await self.session.scalars(
            select(InboxRow).where(InboxRow.turn_id == turn_id).order_by(InboxRow.message_id)
        )
        return rows.all()

    async def of_turns(self, turn_ids: Sequence[int]) -> dict[int, list[str]]:
        """Texts by turn, oldest first."""
        rows = await self.session.scalars(
            select(InboxRow).where(InboxRow.turn_id.in_(turn_ids)).order_by(InboxRow.message_id)
        )
        texts: dict[int, list[str]] = {}
        for row in rows:
            if row.turn_id is not None:
                texts.setdefault(row.turn_id, []).append(row.text)
        return texts

    async def drop_waiting(self, chat_id: int) -> int:
        """Give up on messages that wait; how many there were."""
        rows = await self.waiting(chat_id)
        for row in rows:
            row.state = "dropped"
        return len(rows)

    async def chats_waiting(self) -> Sequence[int]:
        """Chats that have messages without a turn."""
        rows = await self.session.scalars(select(InboxRow.chat_id).where(InboxRow.state == "waiting").distinct())
        return rows.all()

    async def of_user(self, user_id: int) -> Sequence[InboxRow]:
        """All messages of a person, oldest first."""
        rows = await self.session.scalars(select(InboxRow).where(InboxRow.user_id == user_id).order_by(InboxRow.id))
        return rows.all()

    async def forget(self, user_id: int) -> None:
        """Remove all messages of a person."""
        await self.session.execute(delete(InboxRow).where(InboxRow.user_id == user_id))
