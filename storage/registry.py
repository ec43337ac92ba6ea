"""The registry of adapters: takes them in, points slots at them, tells workers, rolls back, throws away.

SQL is the truth: a promotion is one pointer in one unit. Workers hear of it through Redis afterwards; if that fails,
`publish` says it again (at the trainer's start and every while). Knows nothing of engines or training.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from storage.adapter_files import faults, store
from storage.adapter_manifest import StoreUnavailable, check_kind
from storage.contracts import Serving
from storage.database import Database, Unit
from storage.loop_board import LoopBoard
from storage.loop_tables import AdapterRow
from storage.registry_garbage import collect
from storage.registry_intake import take_in
from storage.registry_publishing import current, publish
from storage.registry_rows import Also, answer_as_shared, known, settle, usable
from storage.registry_rules import DELETED, REJECTED, RegistryError, check_share, earlier
from storage.repositories.slots import SHARED
from storage.settings import StorageSettings

log = structlog.get_logger()

# Where a rollback leads if nothing else is said.
PREVIOUS: Final = "previous"
# How many of the adapters that a slot answered with stay for rollbacks.
KEEP: Final = 5

__all__ = ["KEEP", "PREVIOUS", "Also", "Registry", "RegistryError"]


class Registry:
    """All that changes adapters and slots. Without a board (no Redis) workers hear of it when the trainer runs."""

    def __init__(self, database: Database, board: LoopBoard | None, settings: StorageSettings) -> None:
        self.database = database
        self.board = board
        self.address = settings.adapters_address()
        self.settings = settings

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
        stored = await asyncio.to_thread(store, folder, self.address, prompt)
        made = AdapterRow(
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
        row, revived = await take_in(self.database, made, set(people))
        if revived:
            await asyncio.to_thread(store, folder, self.address, prompt)
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
        also: Also | None = None,
    ) -> Serving:
        """Let an adapter (None: the worker's own) answer. RegistryError if it must not."""
        await self._whole(adapter_id)
        async with self._turn(also) as unit:
            await usable(unit, adapter_id, allow_tainted=allow_tainted, allow_rejected=allow_rejected)
            await unit.slots.point(slot, adapter_id, action="promote", by=by, reason=reason)
            await settle(unit)
            await unit.commit()
        log.info("adapter promoted", adapter=adapter_id, slot=slot)
        return await self._tell()

    async def rollback(
        self,
        slot: str = SHARED,
        *,
        to: str | None = PREVIOUS,
        by: int | None = None,
        reason: str = "",
        also: Also | None = None,
    ) -> Serving:
        """Let answer what answered before, or `to` (None: the worker's own). A tainted one may come back; the history
        says so. RegistryError if there is nothing to go back to, or its files are gone.
        """
        target, notes = await self._target(slot, to)
        async with self._turn(also) as unit:
            row = await usable(unit, target, allow_tainted=True, allow_rejected=True)
            if row is not None and row.tainted_at is not None:
                notes.append(f"{target} is tainted: it learned from somebody who asked to be forgotten")
            said = "; ".join(note for note in (reason, *notes) if note)
            await unit.slots.point(slot, target, action="rollback", by=by, reason=said)
            await settle(unit)
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
        also: Also | None = None,
    ) -> Serving:
        """Let an adapter meet a share (0–1) of the dialogues; a canary that runs there is replaced."""
        check_share(share)
        await self._whole(adapter_id)
        async with self._turn(also) as unit:
            await usable(unit, adapter_id, allow_tainted=allow_tainted, allow_rejected=False)
            row = await unit.slots.lock(slot)
            if row.revision == 0 and slot != SHARED:
                await answer_as_shared(unit, slot)
            if row.active == adapter_id:
                said = f"{adapter_id} answers everybody in the slot {slot} already; try another one there"
                raise RegistryError(said, "answers_already", adapter=adapter_id)
            await unit.slots.begin_canary(slot, adapter_id, share, job=job_id, by=by, reason=reason)
            await settle(unit)
            await unit.commit()
        return await self._tell()

    async def set_share(
        self, share: float, *, slot: str = SHARED, by: int | None = None, also: Also | None = None
    ) -> Serving:
        """More or fewer dialogues for the canary that runs; RegistryError if none does."""
        check_share(share)
        async with self._turn(also) as unit:
            if (await unit.slots.lock(slot)).canary is None:
                raise RegistryError(f"no canary runs in the slot {slot}", "no_canary")
            await unit.slots.set_share(slot, share, by=by)
            await unit.commit()
        return await self._tell()

    async def end_canary(
        self, *, slot: str = SHARED, by: int | None = None, reason: str = "", also: Also | None = None
    ) -> Serving:
        """Take the canary away; nothing happens if none runs."""
        async with self._turn(also) as unit:
            if (await unit.slots.lock(slot)).canary is not None:
                await unit.slots.end_canary(slot, by=by, reason=reason)
                await settle(unit)
                await unit.commit()
        return await self._tell()

    async def reject(
        self, adapter_id: str, *, by: int | None = None, reason: str = "", also: Also | None = None
    ) -> Serving:
        """Nobody is to meet this adapter: its canaries end. RegistryError if it answers everybody now."""
        async with self._turn(also) as unit:
            await known(unit, adapter_id)
            slots = await unit.slots.all()
            if held := [one.name for one in slots if one.active == adapter_id]:
                said = f"{adapter_id} answers in the slot {held[0]}: roll back first, then reject it"
                raise RegistryError(said, "answers", adapter=adapter_id)
            for one in slots:
                if one.canary == adapter_id:
                    await unit.slots.end_canary(one.name, by=by, reason=reason or "rejected")
            await unit.adapters.mark(adapter_id, REJECTED)
            await unit.commit()
        return await self._tell()

    async def release(self, slot: str, *, by: int | None = None, reason: str = "", also: Also | None = None) -> Serving:
        """Let a preset go by the slot `shared` again."""
        if slot == SHARED:
            raise RegistryError("all other slots go by the slot shared; roll it back to none instead", "shared")
        async with self._turn(also) as unit:
            if (await unit.slots.lock(slot)).revision == 0:
                raise RegistryError(f"{slot} goes by the slot {SHARED} already", "released")
            await unit.slots.release(slot, by=by, reason=reason)
            await settle(unit)
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
        if self.board is None:
            return await self.serving()
        return await publish(self.database, self.board, self.settings.load_presets)

    async def serving(self) -> Serving:
        """What SQL says that workers are to serve."""
        return await current(self.database, self.settings.load_presets)

    async def verify(self, ids: Iterable[str] | None = None) -> dict[str, list[str]]:
        """What is wrong with the files of every adapter (or these), by id; an empty list: nothing. Reads all bytes."""
        async with self.database.view() as unit:
            rows = [row for row in await unit.adapters.all() if row.state != DELETED]
            if ids is not None:
                rows = [await known(unit, name) for name in ids]
        return {row.adapter_id: await asyncio.to_thread(faults, row.location, row.sha256) for row in rows}

    async def collect_garbage(self, keep: int = KEEP) -> list[str]:
        """Throw away adapters that nothing refers to; see `registry_garbage`. Returns their ids."""
        return await collect(self.database, keep)

    async def _target(self, slot: str, to: str | None) -> tuple[str | None, list[str]]:
        """Where a rollback leads, and what is to be said of it."""
        if to != PREVIOUS:
            return to, await self._looked_at(to)
        async with self.database.view() as unit:
            pile = earlier(await unit.slots.changes(slot))
        if not pile:
            raise RegistryError(f"the slot {slot} was never changed: nothing to roll back to", "nothing_before")
        notes: list[str] = []
        for name in pile:
            try:
                return name, notes + await self._looked_at(name)
            except RegistryError as error:
                log.warning("rollback passes over an adapter", adapter=name, why=str(error))
                notes.append(f"{name} was passed over: its files are gone or damaged")
        return None, notes

    async def _looked_at(self, adapter_id: str | None) -> list[str]:
        """Like `_whole`, but going back does not wait for a store: workers have the previous one loaded."""
        try:
            await self._whole(adapter_id)
        except StoreUnavailable as error:
            log.warning("rolled back without a look at the files", adapter=adapter_id, why=str(error))
            return [f"the files of {adapter_id} could not be checked"]
        return []

    @asynccontextmanager
    async def _turn(self, also: Also | None) -> AsyncIterator[Unit]:
        """A unit that alone changes slots."""
        async with self.database.unit() as unit:
            await unit.slots.take_turns()
            if also is not None:
                await also(unit)
            yield unit

    async def _whole(self, adapter_id: str | None) -> None:
        """RegistryError unless every byte of the adapter is in the store. Read before the unit: it may take long."""
        if adapter_id is None:
            return
        async with self.database.view() as unit:
            row = await known(unit, adapter_id)
        if found := await asyncio.to_thread(faults, row.location, row.sha256):
            wrong = "; ".join(found[:3])
            said = f"{adapter_id} is damaged ({wrong}); add its folder again, or take another one"
            raise RegistryError(said, "damaged", adapter=adapter_id)

    async def _tell(self) -> Serving:
        """Publish; what SQL holds is done even if Redis does not answer."""
        try:
            return await self.publish()
        except (RedisError, OSError) as error:
            log.warning("workers are told later: Redis does not answer", error=type(error).__name__)
            return await self.serving()
