"""Counts that survive a restart."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.repositories.inserting import insert_if_missing
from storage.tables import ChatRow, CounterRow, PersonRow, RatingRow

POSSIBLE_DUPLICATES = "possible_duplicates"


class Counters:
    """Rows of `counters`, and counts over other tables."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(self, name: str, by: int = 1) -> None:
        """Count."""
        await insert_if_missing(self.session, CounterRow, name=name, value=0)
        row = await self.session.get_one(CounterRow, name, with_for_update=True, populate_existing=True)
        row.value += by

    async def get(self, name: str) -> int:
        """The count, 0 if nothing was counted."""
        row = await self.session.get(CounterRow, name)
        return row.value if row else 0

    async def people(self) -> int:
        """How many people are known."""
        return int(await self.session.scalar(select(func.count()).select_from(PersonRow)) or 0)

    async def chats(self) -> int:
        """How many chats are known."""
        return int(await self.session.scalar(select(func.count()).select_from(ChatRow)) or 0)

    async def thumbs(self) -> tuple[int, int]:
        """Thumbs up and thumbs down."""
        rows = await self.session.execute(select(RatingRow.thumb, func.count()).group_by(RatingRow.thumb))
        counts = {thumb: int(count) for thumb, count in rows}
        return counts.get(1, 0), counts.get(-1, 0)
