"""Questions asked under a name, so that several operators judge the same answers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.desk_tables import TaskRow
from storage.repositories.inserting import insert_if_missing
from storage.tables import ReplyRow


class Tasks:
    """Rows of `tasks`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def find(self, chat_id: int, digest: str) -> tuple[TaskRow, Sequence[ReplyRow]] | None:
        """What was asked before, and the answers in the order of their variants."""
        row = await self.session.get(TaskRow, (chat_id, digest))
        if row is None:
            return None
        query = select(ReplyRow).where(ReplyRow.turn_id == row.turn_id).order_by(ReplyRow.variant)
        answers = (await self.session.scalars(query)).all()
        return (row, answers) if answers else None

    async def claim(self, chat_id: int, digest: str, turn_id: int, asked_by: int) -> bool:
        """Keep this turn's answers under the name; False if somebody else's were kept meanwhile."""
        values = {"chat_id": chat_id, "digest": digest, "turn_id": turn_id, "asked_by": asked_by}
        await insert_if_missing(self.session, TaskRow, **values, created_at=now())
        kept = await self.session.get(TaskRow, (chat_id, digest))
        return kept is not None and kept.turn_id == turn_id
