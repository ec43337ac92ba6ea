"""The registry of adapters: takes them in, points slots at them, tells workers, rolls back, throws away.

SQL is the truth: a promotion is one pointer in one unit. Workers hear of it through Redis afterwards; if that fails,
`publish` says it again (at the trainer's start and every while). Knows nothing of engines or training.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from storage import adapter_files
from storage.adapter_manifest import check_kind
from storage.contracts import ServedAdapter, ServedSlot, Serving, now
from storage.database import Database, Unit
from storage.loop_board import LoopBoard
from storage.loop_tables import AdapterRow, SlotRow
from storage.registry_rules import CANARY, CANDIDATE, DELETED, LIVE, REJECTED, earlier, state_of
from storage.repositories.slots import SHARED
from storage.settings import StorageSettings

log = structlog.get_logger()

# Where a rollback leads if nothing else is said.
PREVIOUS: Final = "previous"


class RegistryError(ValueError):
    """The registry refuses; the text says why and what to do."""


class Registry:
    """All that changes adapters and slots. Without a board (no Redis) workers hear of it when the trainer runs."""

    def __init__(self, database: Database, board: LoopBoard | None, settings: StorageSettings) -> None:
        self.database = database
        self.board = board
        self.address = settings.adapters_address()

    async def add(
        self,
        folder: Path,
        *,
        kind: str,
        base: str,
        method: str,
        parent: str | None = None,
        job_id: str | None = None,
        prompt: str | None = None,
        data: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        verdict: dict[str, Any] | None = None,
        people: Iterable[int] = (),
    ) -> AdapterRow:
        """Take an adapter's folder in. The same content again is the same adapter.

        `people`: whose rows it learned from; one who has asked to be forgotten meanwhile taints it at once.
        AdapterFilesError if the folder is none or the store fails.
        """
        await asyncio.to_thread(check_kind, folder, kind)
        while True:
            stored = await asyncio.to_thread(adapter_files.store, folder, self.address, prompt)
            row = AdapterRow(
                adapter_id=stored.adapter_id,
                kind=kind,
                sha256=stored.sha256,
                location=stored.location,
                size=stored.size,
                base=base,
                prompt=prompt,
                method=method,
                parent=parent,
                job_id=job_id,
                data=data or {},
                metrics=metrics or {},
                verdict=verdict,
            )
            async with self.database.unit() as unit:
                await unit.slots.take_turns()
                # Thrown away between the copy and this turn: copied again.
                if await asyncio.to_thread(adapter_files.is_there, stored.location):
                    row = await self._remember(unit, row, set(people))
                    await unit.commit()
                    return row

    async def promote(
        self,
        adapter_id: str | None,
        *,
        slot: str = SHARED,
        by: int | None = None,
        reason: str = "",
        allow_tainted: bool = False,
        allow_rejected: bool = False,
    ) -> Serving:
        """Let an adapter (None: the worker's own) answer. RegistryError if it must not."""
        await self._whole(adapter_id)
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            await self._usable(unit, adapter_id, allow_tainted=allow_tainted, allow_rejected=allow_rejected)
            await unit.slots.point(slot, adapter_id, action="promote", by=by, reason=reason)
            await self._settle(unit)
            await unit.commit()
        log.info("adapter promoted", adapter=adapter_id, slot=slot)
        return await self._tell()

    async def rollback(
        self, slot: str = SHARED, *, to: str | None = PREVIOUS, by: int | None = None, reason: str = ""
    ) -> Serving:
        """Let answer what answered before, or `to` (None: the worker's own). A tainted one may come back; the history
        says so. RegistryError if there is nothing to go back to, or its files are gone.
        """
        target, notes = await self._target(slot, to)
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            row = await self._usable(unit, target, allow_tainted=True, allow_rejected=True)
            if row is not None and row.tainted_at is not None:
                notes.append(f"{target} is tainted: it learned from somebody who asked to be forgotten")
            said = "; ".join(note for note in (reason, *notes) if note)
            await unit.slots.point(slot, target, action="rollback", by=by, reason=said)
            await self._settle(unit)
            await unit.commit()
        log.info("slot rolled back", adapter=target, slot=slot)
        return await self._tell()

    async def begin_canary(
        self,
        adapter_id: str,
        share: float,
        *,
        slot: str = SHARED,
        job_id: str | None = None,
        by: int | None = None,
        reason: str = "",
        allow_tainted: bool = False,
    ) -> Serving:
        """Let an adapter meet a share (0–1) of the dialogues; a canary that runs there is replaced."""
        _check_share(share)
        await self._whole(adapter_id)
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            await self._usable(unit, adapter_id, allow_tainted=allow_tainted, allow_rejected=False)
            row = await unit.slots.lock(slot)
            if row.revision == 0 and slot != SHARED:
                await self._as_shared(unit, slot)
            if row.active == adapter_id:
                raise RegistryError(f"{adapter_id} answers everybody in the slot {slot} already; try another one there")
            await unit.slots.begin_canary(slot, adapter_id, share, job=job_id, by=by, reason=reason)
            await self._settle(unit)
            await unit.commit()
        return await self._tell()

    async def set_share(self, share: float, *, slot: str = SHARED, by: int | None = None) -> Serving:
        """More or fewer dialogues for the canary that runs; RegistryError if none does."""
        _check_share(share)
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            if (await unit.slots.lock(slot)).canary is None:
                raise RegistryError(f"no canary runs in the slot {slot}")
            await unit.slots.set_share(slot, share, by=by)
            await unit.commit()
        return await self._tell()

    async def end_canary(self, *, slot: str = SHARED, by: int | None = None, reason: str = "") -> Serving:
        """Take the canary away; nothing happens if none runs."""
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            if (await unit.slots.lock(slot)).canary is not None:
                await unit.slots.end_canary(slot, by=by, reason=reason)
                await self._settle(unit)
                await unit.commit()
        return await self._tell()

    async def reject(self, adapter_id: str, *, by: int | None = None, reason: str = "") -> Serving:
        """Nobody is to meet this adapter: its canaries end. RegistryError if it answers everybody now."""
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            await self._known(unit, adapter_id)
            slots = await unit.slots.all()
            if held := [one.name for one in slots if one.active == adapter_id]:
                raise RegistryError(f"{adapter_id} answers in the slot {held[0]}: roll back first, then reject it")
            for one in slots:
                if one.canary == adapter_id:
                    await unit.slots.end_canary(one.name, by=by, reason=reason or "rejected")
            await unit.adapters.mark(adapter_id, REJECTED)
            await unit.commit()
        return await self._tell()

    async def taint(self, user_id: int) -> list[str]:
        """Mark every adapter that learned from a person; what serves goes on serving until the next refit."""
        async with self.database.unit() as unit:
            marked = await unit.adapters.taint(user_id)
            await unit.commit()
        return marked

    async def publish(self) -> Serving:
        """Tell workers what SQL says; safe to repeat, heals what a crash or a lost Redis left unsaid. RedisError."""
        serving = await self.serving()
        if self.board is not None:
            await self.board.publish(serving)
        return serving

    async def serving(self) -> Serving:
        """What SQL says that workers are to serve: slots, their adapters, and where each slot's rollback leads."""
        async with self.database.view() as unit:
            slots = [one for one in await unit.slots.all() if one.revision > 0]
            wanted: dict[str, None] = {}
            for slot in slots:
                before = earlier(await unit.slots.changes(slot.name))[:1]
                wanted.update(dict.fromkeys(name for name in (slot.active, slot.canary, *before) if name))
            rows = [row for name in wanted if (row := await unit.adapters.get(name)) and row.state != DELETED]
        return Serving(
            revision=max((slot.revision for slot in slots), default=0),
            slots=tuple(
                ServedSlot(name=one.name, active=one.active, canary=one.canary, share=one.share) for one in slots
            ),
            adapters=tuple(
                ServedAdapter(adapter_id=row.adapter_id, location=row.location, sha256=row.sha256, base=row.base)
                for row in rows
            ),
        )

    async def _remember(self, unit: Unit, row: AdapterRow, people: set[int]) -> AdapterRow:
        """The adapter's row; one that was thrown away is a candidate again."""
        gone = await self._gone(unit, people, row.job_id)
        parent = await unit.adapters.get(row.parent) if row.parent else None
        kept = await unit.adapters.add(row, people - gone)
        if kept.state == DELETED:
            kept.state, kept.created_at = CANDIDATE, now()
        kept.location = row.location
        if gone or (parent is not None and parent.tainted_at is not None):
            kept.tainted_at = kept.tainted_at or now()
        return kept

    async def _gone(self, unit: Unit, people: set[int], job_id: str | None) -> set[int]:
        """Who asked to be forgotten after the job that made the adapter was ordered."""
        job = await unit.jobs.get(job_id) if job_id else None
        forgotten = await unit.people.forgotten() if people else {}
        agreed = await unit.people.consenting() if forgotten else set()
        return {
            one
            for one in people & set(forgotten)
            if one not in agreed or (job is not None and forgotten[one].at >= job.created_at)
        }

    async def _target(self, slot: str, to: str | None) -> tuple[str | None, list[str]]:
        """Where a rollback leads, and what is to be said of it."""
        if to != PREVIOUS:
            await self._whole(to)
            return to, []
        async with self.database.view() as unit:
            pile = earlier(await unit.slots.changes(slot))
        if not pile:
            raise RegistryError(f"nothing was ever promoted in the slot {slot}: there is nothing to roll back to")
        notes: list[str] = []
        for name in pile:
            try:
                await self._whole(name)
            except ValueError as error:
                log.warning("rollback passes over an adapter", adapter=name, why=str(error))
                notes.append(f"{name} was passed over: its files are gone or damaged")
            else:
                return name, notes
        return None, notes

    async def _whole(self, adapter_id: str | None) -> None:
        """RegistryError unless every byte of the adapter is in the store. Read before the unit: it may take long."""
        if adapter_id is None:
            return
        async with self.database.view() as unit:
            row = await self._known(unit, adapter_id)
        if found := await asyncio.to_thread(adapter_files.faults, row.location, row.sha256):
            raise RegistryError(
                f"{adapter_id} is damaged ({'; '.join(found[:3])}); add its folder again, or take another one"
            )

    async def _known(self, unit: Unit, adapter_id: str) -> AdapterRow:
        row = await unit.adapters.get(adapter_id)
        if row is None:
            raise RegistryError(f"there is no adapter {adapter_id}; `otklik adapters list` names them")
        if row.state == DELETED:
            raise RegistryError(f"{adapter_id} was thrown away; add its folder again, or take another one")
        return row

    async def _usable(
        self, unit: Unit, adapter_id: str | None, *, allow_tainted: bool, allow_rejected: bool
    ) -> AdapterRow | None:
        if adapter_id is None:
            return None
        row = await self._known(unit, adapter_id)
        if row.tainted_at is not None and not allow_tainted:
            raise RegistryError(
                f"{adapter_id} learned from somebody who asked to be forgotten: refit without them, or say explicitly "
                "that it is to be used (--allow-tainted)"
            )
        if row.state == REJECTED and not allow_rejected:
            raise RegistryError(f"{adapter_id} was rejected; say explicitly that it is to be used (--allow-rejected)")
        return row

    async def _as_shared(self, unit: Unit, slot: str) -> None:
        """A preset's first slot answers as before, so that its canary is compared with what people have now."""
        shared = await unit.slots.get(SHARED)
        active = shared.active if shared else None
        await unit.slots.point(slot, active, action="promote", by=None, reason="as in the slot shared")

    async def _settle(self, unit: Unit) -> None:
        """States that agree with the pointers."""
        slots: list[SlotRow] = list(await unit.slots.all())
        pointed = {name for slot in slots for name in (slot.active, slot.canary) if name}
        for row in await unit.adapters.among(pointed, (LIVE, CANARY)):
            row.state = state_of(row.adapter_id, row.state, slots)
        await unit.session.flush()

    async def _tell(self) -> Serving:
        """Publish; what SQL holds is done even if Redis does not answer."""
        try:
            return await self.publish()
        except (RedisError, OSError) as error:
            log.warning("workers are told later: Redis does not answer", error=type(error).__name__)
            return await self.serving()


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise RegistryError(f"a canary's share is between 0 and 1, not {share:g}")
