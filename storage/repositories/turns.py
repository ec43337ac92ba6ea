"""Turns: which messages were answered together, and which reply is shown for them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import ReplyRow, TurnRow


class TurnBook:
    """Rows of `turns`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, turn_id: int) -> TurnRow | None:
        """The turn."""
        return await self.session.get(TurnRow, turn_id)

    async def lock(self, turn_id: int) -> TurnRow | None:
        """The turn, locked until the unit ends."""
        return await self.session.get(TurnRow, turn_id, with_for_update=True)

    async def add(self, chat_id: int, user_id: int, epoch: int) -> TurnRow:
        """A new turn, active."""
        turn = TurnRow(chat_id=chat_id, user_id=user_id, epoch=epoch, revision=0, state="active", message_ids=[])
        self.session.add(turn)
        await self.session.flush()
        return turn

    async def last(self, chat_id: int) -> TurnRow | None:
        """The newest turn of a chat."""
        return await self.session.scalar(
            select(TurnRow).where(TurnRow.chat_id == chat_id).order_by(TurnRow.id.desc()).limit(1)
        )

    async def last_shown(self, chat_id: int) -> str | None:
        """The request id of the newest answer that a chat was shown."""
        query = select(TurnRow.shown).where(TurnRow.chat_id == chat_id, TurnRow.shown.is_not(None))
        found: str | None = await self.session.scalar(query.order_by(TurnRow.id.desc()).limit(1))
        return found

    async def previous(self, chat_id: int, turn_id: int) -> TurnRow | None:
        """The turn before this one."""
        return await self.session.scalar(
            select(TurnRow).where(TurnRow.chat_id == chat_id, TurnRow.id < turn_id).order_by(TurnRow.id.desc()).limit(1)
        )

    async def history(self, chat_id: int, epoch: int, *, before: int | None, limit: int) -> list[tuple[int, str, int]]:
        """`(turn id, shown text, its variant)` of answered turns of an epoch before turn `before`, oldest first."""
        query = (
            select(TurnRow.id, ReplyRow.text, ReplyRow.variant)
            .join(ReplyRow, ReplyRow.request_id == TurnRow.shown)
            .where(TurnRow.chat_id == chat_id, TurnRow.epoch == epoch, TurnRow.state == "done")
            .order_by(TurnRow.id.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(TurnRow.id < before)
        rows = (await self.session.execute(query)).all()
        return [(int(turn_id), str(text), int(variant)) for turn_id, text, variant in reversed(rows)]

    async def by_message(self, chat_id: int, message_id: int, *, among: int = 200) -> TurnRow | None:
        """The turn that a bot message shows; None for other messages. Looks at the chat's newest turns."""
        rows = await self.session.scalars(
            select(TurnRow).where(TurnRow.chat_id == chat_id).order_by(TurnRow.id.desc()).limit(among)
        )
        for turn in rows:
            if message_id in turn.message_ids:
                return turn
        return None

    async def of_user(self, user_id: int) -> Sequence[TurnRow]:
        """All turns of a person, oldest first."""
        rows = await self.session.scalars(select(TurnRow).where(TurnRow.user_id == user_id).order_by(TurnRow.id))
        return rows.all()

    async def forget(self, user_id: int) -> None:
        """Remove a person's turns; their replies go with them."""
        await self.session.execute(delete(TurnRow).where(TurnRow.user_id == user_id))
