"""People: consent and whether they still want the bot. Keeps ids only, no names."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.repositories.inserting import insert_if_missing
from storage.tables import ForgottenRow, PersonRow


class People:
    """Rows of `people`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, user_id: int) -> PersonRow | None:
        """The person, if known."""
        return await self.session.get(PersonRow, user_id)

    async def ensure(self, user_id: int) -> PersonRow:
        """The person, made known if need be."""
        person = await self.session.get(PersonRow, user_id)
        if person is None:
            await insert_if_missing(self.session, PersonRow, user_id=user_id, consent=None, blocked=False)
            person = await self.session.get_one(PersonRow, user_id)
        return person

    async def consent(self, user_id: int, agreed: bool) -> None:
        """Remember the answer to «may your dialogue be learned from»."""
        person = await self.ensure(user_id)
        person.consent = agreed
        person.consent_at = now()

    async def block(self, user_id: int, blocked: bool) -> None:
        """Remember that the person does not want the bot (or wants it again)."""
        person = await self.ensure(user_id)
        person.blocked = blocked

    async def consenting(self) -> set[int]:
        """Everybody whose dialogue may be learned from."""
        rows = await self.session.scalars(select(PersonRow.user_id).where(PersonRow.consent.is_(True)))
        return set(rows)

    async def ids(self) -> set[int]:
        """Everybody who is known, and everybody who asked to be forgotten."""
        return set(await self.session.scalars(select(PersonRow.user_id))) | set(await self.forgotten())

    async def forget(self, user_id: int) -> None:
        """Remove the person and leave only a tombstone with the moment."""
        await self.session.execute(delete(PersonRow).where(PersonRow.user_id == user_id))
        tombstone = await self.session.get(ForgottenRow, user_id)
        if tombstone is None:
            self.session.add(ForgottenRow(user_id=user_id, at=now()))
        else:
            tombstone.at = now()

    async def forgotten_at(self, user_id: int) -> datetime | None:
        """When the person asked to be forgotten, if ever."""
        tombstone = await self.session.get(ForgottenRow, user_id)
        return tombstone.at if tombstone else None

    async def forgotten(self) -> dict[int, ForgottenRow]:
        """Who asked to be forgotten, and when: their data in older training sets taints the adapters."""
        rows = await self.session.scalars(select(ForgottenRow))
        return {row.user_id: row for row in rows}
