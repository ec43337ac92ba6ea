"""Adapters as rows: lineage, state, taint. Their files are the registry's business."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.loop_tables import AdapterPersonRow, AdapterRow
from storage.repositories.inserting import insert_if_missing
from storage.repositories.turn_taking import take_turns


class AdapterBook:
    """Rows of `adapters` and `adapter_people`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, adapter_id: str) -> AdapterRow | None:
        """One adapter."""
        return await self.session.get(AdapterRow, adapter_id)

    async def all(self, limit: int | None = None) -> Sequence[AdapterRow]:
        """Adapters, newest first."""
        query = select(AdapterRow).order_by(AdapterRow.created_at.desc(), AdapterRow.adapter_id)
        return (await self.session.scalars(query.limit(limit) if limit else query)).all()

    async def among(self, ids: Iterable[str], states: Iterable[str]) -> Sequence[AdapterRow]:
        """Adapters of these ids, or in one of these states; as they are in the database now."""
        query = select(AdapterRow).where(AdapterRow.adapter_id.in_(set(ids)) | AdapterRow.state.in_(set(states)))
        return (await self.session.scalars(query.execution_options(populate_existing=True))).all()

    async def add(self, row: AdapterRow, people: Iterable[int] = ()) -> AdapterRow:
        """Remember an adapter and whose rows it learned from. The same content again only adds people."""
        kept = await self.get(row.adapter_id)
        if kept is None:
            kept = row
            self.session.add(row)
            await self.session.flush()
        for user_id in set(people):
            await insert_if_missing(self.session, AdapterPersonRow, adapter_id=row.adapter_id, user_id=user_id)
        return kept

    async def mark(self, adapter_id: str, state: str) -> None:
        """Change an adapter's state."""
        await self.session.execute(update(AdapterRow).where(AdapterRow.adapter_id == adapter_id).values(state=state))

    async def emptied(self, adapter_id: str) -> None:
        """The files of a deleted adapter are gone."""
        await self.session.execute(
            update(AdapterRow).where(AdapterRow.adapter_id == adapter_id).values(emptying_at=None)
        )

    async def learned_from(self, user_id: int) -> list[str]:
        """Ids of the adapters that learned from a person's rows."""
        query = select(AdapterPersonRow.adapter_id).where(AdapterPersonRow.user_id == user_id)
        return sorted(await self.session.scalars(query))

    async def learners(self, adapter_id: str) -> int:
        """From how many people's rows an adapter learned, without those who were forgotten."""
        query = select(func.count()).where(AdapterPersonRow.adapter_id == adapter_id)
        return int(await self.session.scalar(query) or 0)

    async def taint(self, user_id: int) -> list[str]:
        """Mark every adapter that learned from a person, and what was tuned on from one; returns the marked ids.

        The links to the person are removed: what is left says only that somebody is gone.
        """
        await take_turns(self.session)
        found = set(await self.learned_from(user_id))
        fresh = found
        while fresh:
            query = select(AdapterRow.adapter_id).where(AdapterRow.parent.in_(fresh))
            fresh = set(await self.session.scalars(query)) - found
            found |= fresh
        await self.session.execute(
            update(AdapterRow)
            .where(AdapterRow.adapter_id.in_(found), AdapterRow.tainted_at.is_(None))
            .values(tainted_at=now())
        )
        await self.session.execute(delete(AdapterPersonRow).where(AdapterPersonRow.user_id == user_id))
        return sorted(found)
