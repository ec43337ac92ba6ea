"""Presets that operators added or changed: rows over the file, laid together by `storage.preset_overlay`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.loop_tables import PresetRow
from storage.preset_overlay import Overlay, overlaid
from storage.presets import Presets
from storage.repositories.inserting import insert_if_missing
from storage.tables import ChatRow

if TYPE_CHECKING:
    from storage.database import Unit


class PresetBook:
    """Rows of `presets`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def all(self) -> Sequence[PresetRow]:
        """Every row, by id."""
        return (await self.session.scalars(select(PresetRow).order_by(PresetRow.preset_id))).all()

    async def overlays(self) -> list[Overlay]:
        """Every row, as what it changes."""
        return [Overlay(row.preset_id, row.body, row.enabled) for row in await self.all()]

    async def put(self, preset_id: str, body: dict[str, Any] | None, *, by: int | None) -> None:
        """A preset's new body; None: the file's again."""
        row = await self._lock(preset_id)
        row.body, row.by, row.updated_at = body, by, now()
        await self.session.flush()

    async def switch(self, preset_id: str, enabled: bool, *, by: int | None) -> bool:
        """Switch a preset on or off; False if it was so already."""
        row = await self._lock(preset_id)
        if row.enabled == enabled:
            return False
        row.enabled, row.by, row.updated_at = enabled, by, now()
        await self.session.flush()
        return True

    async def remove(self, preset_id: str) -> bool:
        """Forget what was changed; False if nothing was. Chats that use a preset which is gone fall back."""
        known = await self.session.get(PresetRow, preset_id)
        await self.session.execute(delete(PresetRow).where(PresetRow.preset_id == preset_id))
        return known is not None

    async def chats(self, preset_id: str) -> int:
        """How many chats have chosen a preset."""
        query = select(func.count()).select_from(ChatRow).where(ChatRow.emotion == preset_id)
        return int(await self.session.scalar(query) or 0)

    async def _lock(self, preset_id: str) -> PresetRow:
        await insert_if_missing(self.session, PresetRow, preset_id=preset_id, enabled=True, updated_at=now())
        return await self.session.get_one(PresetRow, preset_id, with_for_update=True, populate_existing=True)


async def merged_presets(unit: Unit, file: Presets) -> Presets:
    """The presets that people meet: the file's with what operators changed."""
    return overlaid(file, await PresetBook(unit.session).overlays())
