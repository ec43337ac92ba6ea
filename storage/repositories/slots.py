"""Slots: which adapter answers, which one is tried beside it, and the history of both. Knows no files.

Every change is one pointer, leaves a row in `slot_changes`, and raises the revision that workers go by.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.loop_tables import SlotChangeRow, SlotRow
from storage.repositories.inserting import insert_if_missing
from storage.repositories.turn_taking import take_turns

SHARED = "shared"
# A row that nothing was ever promoted or tried in is only there to be locked: its preset goes by the shared slot.
CHANGED = SlotRow.revision > 0


class Slots:
    """Rows of `slots` and `slot_changes`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def all(self) -> Sequence[SlotRow]:
        """Every slot, by name."""
        return (await self.session.scalars(select(SlotRow).order_by(SlotRow.name))).all()

    async def get(self, name: str) -> SlotRow | None:
        """One slot."""
        return await self.session.get(SlotRow, name)

    async def serving(self, preset_id: str) -> SlotRow | None:
        """The slot that a preset's requests go by: its own, else the shared one; None: nothing was ever promoted."""
        rows = await self.session.scalars(select(SlotRow).where(SlotRow.name.in_((preset_id, SHARED)), CHANGED))
        found = {row.name: row for row in rows}
        return found.get(preset_id) or found.get(SHARED)

    async def take_turns(self) -> None:
        """Wait until no other unit changes slots or adapters; held until this unit ends."""
        await take_turns(self.session)

    async def lock(self, name: str) -> SlotRow:
        """The slot, made if need be, locked until the unit ends."""
        await self.take_turns()
        await insert_if_missing(self.session, SlotRow, name=name, share=0.0, revision=0)
        return await self.session.get_one(SlotRow, name, with_for_update=True, populate_existing=True)

    async def point(self, name: str, adapter: str | None, *, action: str, by: int | None, reason: str = "") -> SlotRow:
        """Let an adapter answer (None: the worker's own). A canary of the same slot ends with it."""
        row = await self.lock(name)
        before, row.active = row.active, adapter
        row.canary, row.canary_at, row.canary_job, row.share = None, None, None, 0.0
        await self._changed(row, SlotChangeRow(slot=name, action=action, before=before, after=adapter, by=by), reason)
        return row

    async def begin_canary(
        self, name: str, adapter: str, share: float, *, job: str | None, by: int | None, reason: str = ""
    ) -> SlotRow:
        """Let an adapter meet a share of the dialogues."""
        row = await self.lock(name)
        change = SlotChangeRow(slot=name, action="canary", before=row.canary, after=adapter, share=share, by=by)
        row.canary, row.canary_at, row.canary_job, row.share = adapter, now(), job, share
        await self._changed(row, change, reason)
        return row

    async def set_share(self, name: str, share: float, *, by: int | None) -> SlotRow:
        """More or fewer dialogues for the canary that runs."""
        row = await self.lock(name)
        change = SlotChangeRow(slot=name, action="share", before=row.canary, after=row.canary, share=share, by=by)
        row.share = share
        await self._changed(row, change, "")
        return row

    async def end_canary(self, name: str, *, by: int | None, reason: str) -> SlotRow:
        """Take the canary away; what answers stays."""
        row = await self.lock(name)
        change = SlotChangeRow(slot=name, action="stop", before=row.canary, after=None, by=by)
        row.canary, row.canary_at, row.canary_job, row.share = None, None, None, 0.0
        await self._changed(row, change, reason)
        return row

    async def release(self, name: str, *, by: int | None, reason: str = "") -> None:
        """Let a preset go by the shared slot again, whose revision rises so that workers hear of it."""
        row, shared = await self.lock(name), await self.lock(SHARED)
        self.session.add(SlotChangeRow(slot=name, action="release", before=row.active, by=by, reason=reason))
        shared.revision = await self.revision() + 1
        row.active, row.canary, row.canary_at, row.canary_job, row.share, row.revision = None, None, None, None, 0.0, 0
        row.updated_at = shared.updated_at = now()
        await self.session.flush()

    async def stir(self, beyond: int = 0) -> None:
        """Raise the revision though no pointer moved: something else that workers are told has changed, or what they
        were told came from another database and has the revision `beyond`.
        """
        shared = await self.lock(SHARED)
        shared.revision = max(await self.revision(), beyond) + 1
        shared.updated_at = now()
        await self.session.flush()

    async def history(self, name: str, limit: int = 20) -> Sequence[SlotChangeRow]:
        """Changes of a slot, newest first."""
        query = select(SlotChangeRow).where(SlotChangeRow.slot == name).order_by(SlotChangeRow.id.desc()).limit(limit)
        return (await self.session.scalars(query)).all()

    async def changes(self, name: str) -> Sequence[SlotChangeRow]:
        """The whole history of a slot, oldest first."""
        query = select(SlotChangeRow).where(SlotChangeRow.slot == name).order_by(SlotChangeRow.id)
        return (await self.session.scalars(query)).all()

    async def changes_of(self, adapter: str) -> Sequence[SlotChangeRow]:
        """What happened to an adapter in any slot, newest first."""
        there = or_(SlotChangeRow.before == adapter, SlotChangeRow.after == adapter)
        query = select(SlotChangeRow).where(there).order_by(SlotChangeRow.id.desc())
        return (await self.session.scalars(query)).all()

    async def revision(self) -> int:
        """The newest revision of all slots; 0 before the first change."""
        return int(await self.session.scalar(select(func.max(SlotRow.revision))) or 0)

    async def _changed(self, row: SlotRow, change: SlotChangeRow, reason: str) -> None:
        row.revision = await self.revision() + 1
        row.updated_at = now()
        change.reason = reason
        self.session.add(change)
        await self.session.flush()
