"""What operators change, each deed with its line in the audit, in one unit of work. Whoever comes second is told.

Knows no Telegram. Whether somebody may do it was checked before (`bot.admin.gate`).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.admin import texts
from storage.adapter_manifest import AdapterFilesError
from storage.contracts import JobState, TrainJob
from storage.database import Database, Unit
from storage.loop_tables import JobRow
from storage.registry import Registry, RegistryError
from storage.registry_rules import DELETED, REJECTED, earlier
from storage.repositories.jobs import WORKABLE

# What Telegram shows when a button was pressed is no longer than this.
TOAST = 200
DECIDABLE = (JobState.GATED, JobState.CANARY)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a deed: `done`, or not, and how the job stands now. `why`: what stood in the way, for people."""

    done: bool
    job: JobRow | None = None
    why: str = ""


class Overtaken(Exception):
    """Things are not any more as they were when the operator was asked."""


class Refused(Exception):
    """It must not be done; the text is for people."""


class Deeds:
    """One method a deed. `expected` is the slot's revision that the operator saw; None: it does not matter."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self.database = database
        self.registry = registry

    async def order(self, admin: int, job_id: str, method: str, slot: str) -> JobRow:
        """Queue a refit; the one that is open for the slot instead, if there is one."""
        async with self.database.unit() as unit:
            fresh = await unit.jobs.get(job_id) is None
            wanted = TrainJob(job_id=job_id, method=method, requested_by=admin)
            job = await unit.jobs.add(wanted, trigger="admin", slot=slot)
            if fresh and job.job_id == job_id:
                unit.audit.write(admin, "train", job_id, method=method, slot=slot)
            await unit.commit()
        return job

    async def cancel(self, admin: int, job_id: str) -> Outcome:
        """Ask for a refit to stop; one that is trained already is decided on instead."""
        async with self.database.unit() as unit:
            job = await unit.jobs.lock(job_id)
            if job is None or job.state not in WORKABLE or job.cancel:
                return Outcome(False, job)
            await unit.jobs.ask_cancel(job_id)
            unit.audit.write(admin, "cancel", job_id)
            await unit.commit()
        return Outcome(True, job)

    async def promote(
        self, admin: int, adapter: str | None, slot: str, *, job_id: str | None = None, expected: int | None = None
    ) -> Outcome:
        """Let an adapter answer in a slot; one that answered there before is gone back to."""

        async def also(unit: Unit) -> None:
            await self._as_expected(unit, slot, expected)
            await self._settle_job(unit, adapter, slot, job_id, JobState.LIVE)
            await self._may_serve(unit, adapter, again=goes_back)
            unit.audit.write(admin, "rollback" if goes_back else "promote", adapter or "", slot=slot)

        async with self.database.view() as unit:
            goes_back = adapter in earlier(await unit.slots.changes(slot))
        try:
            if goes_back:
                await self.registry.rollback(slot, to=adapter, by=admin, also=also)
            else:
                await self.registry.promote(adapter, slot=slot, by=admin, also=also)
        except (Overtaken, Refused, RegistryError, AdapterFilesError) as error:
            return await self._undone(error, job_id)
        return await self._done(job_id)

    async def canary(
        self,
        admin: int,
        adapter: str,
        slot: str,
        percent: int,
        *,
        job_id: str | None = None,
        expected: int | None = None,
    ) -> Outcome:
        """Let an adapter meet a share of the dialogues; one that does meets another share."""

        async def also(unit: Unit) -> None:
            await self._as_expected(unit, slot, expected)
            if not runs:
                await self._settle_job(unit, adapter, slot, job_id, JobState.CANARY)
            elif (await unit.slots.lock(slot)).canary != adapter:
                raise Overtaken
            await self._may_serve(unit, adapter)
            unit.audit.write(admin, "share" if runs else "canary", adapter, slot=slot, percent=percent)

        async with self.database.view() as unit:
            found = await unit.slots.get(slot)
            runs = found is not None and found.canary == adapter
        try:
            if runs:
                await self.registry.set_share(percent / 100, slot=slot, by=admin, also=also)
            else:
                await self.registry.begin_canary(adapter, percent / 100, slot=slot, job_id=job_id, by=admin, also=also)
        except (Overtaken, Refused, RegistryError, AdapterFilesError) as error:
            return await self._undone(error, job_id)
        return await self._done(job_id)

    async def end_canary(self, admin: int, adapter: str, slot: str) -> Outcome:
        """Take the canary away; its refit waits for a decision again."""

        async def also(unit: Unit) -> None:
            found = await unit.slots.lock(slot)
            if found.canary != adapter:
                raise Overtaken
            if found.canary_job is not None:
                await _move(unit, found.canary_job, JobState.GATED, (JobState.CANARY,))
            unit.audit.write(admin, "end_canary", adapter, slot=slot)

        try:
            await self.registry.end_canary(slot=slot, by=admin, also=also)
        except (Overtaken, RegistryError) as error:
            return await self._undone(error, None)
        return Outcome(True)

    async def reject(self, admin: int, adapter: str, job_id: str) -> Outcome:
        """Nobody is to meet an adapter; the refit that it came from, if there was one, ends with that."""

        async def also(unit: Unit) -> None:
            note = texts.NOTE_BY.format(who=admin)
            if job_id and not await _move(unit, job_id, JobState.REJECTED, DECIDABLE, note=note):
                raise Overtaken
            unit.audit.write(admin, "reject", adapter, job=job_id)

        try:
            await self.registry.reject(adapter, by=admin, also=also)
        except (Overtaken, RegistryError) as error:
            return await self._undone(error, job_id)
        return await self._done(job_id)

    async def release(self, admin: int, slot: str, *, expected: int | None = None) -> Outcome:
        """Let a preset go by the shared slot again."""

        async def also(unit: Unit) -> None:
            await self._as_expected(unit, slot, expected)
            await self._settle_job(unit, None, slot, None, JobState.LIVE)
            unit.audit.write(admin, "release", slot)

        try:
            await self.registry.release(slot, by=admin, also=also)
        except (Overtaken, RegistryError) as error:
            return await self._undone(error, None)
        return Outcome(True)

    async def _as_expected(self, unit: Unit, slot: str, expected: int | None) -> None:
        found = await unit.slots.get(slot)
        if expected is not None and (found.revision if found else 0) != expected:
            raise Overtaken

    async def _may_serve(self, unit: Unit, adapter: str | None, *, again: bool = False) -> None:
        """What the registry would refuse, in words for people."""
        row = await unit.adapters.get(adapter) if adapter is not None else None
        if adapter is None:
            return
        if row is None or row.state == DELETED:
            raise Refused(texts.REFUSED_GONE)
        if not again and row.tainted_at is not None:
            raise Refused(texts.REFUSED_TAINTED)
        if not again and row.state == REJECTED:
            raise Refused(texts.REFUSED_REJECTED)

    async def _settle_job(
        self, unit: Unit, adapter: str | None, slot: str, job_id: str | None, state: JobState
    ) -> None:
        """The refit of the adapter comes to `state`; one whose canary has to give way is over."""
        row = await unit.adapters.get(adapter) if adapter is not None else None
        made_by = job_id or (row.job_id if row is not None else None)
        moved = await _move(unit, made_by, state, DECIDABLE, slot=slot) if made_by else False
        if job_id is not None and not moved:
            raise Overtaken
        found = await unit.slots.get(slot)
        if found is not None and found.canary_job is not None and found.canary_job != made_by:
            await _move(unit, found.canary_job, JobState.REJECTED, (JobState.CANARY,), note=texts.NOTE_GAVE_WAY)

    async def _done(self, job_id: str | None) -> Outcome:
        return Outcome(True, await self._job(job_id))

    async def _undone(self, error: Exception, job_id: str | None) -> Outcome:
        why = str(error)
        if isinstance(error, RegistryError):
            why = texts.REFUSED_BY_REGISTRY.get(error.cause, texts.REFUSED_OTHERWISE).format(error=why, **error.about)
        if isinstance(error, AdapterFilesError):
            why = texts.REFUSED_STORE
        why = why[:TOAST]
        return Outcome(False, await self._job(job_id), why)

    async def _job(self, job_id: str | None) -> JobRow | None:
        if job_id is None:
            return None
        async with self.database.view() as unit:
            return await unit.jobs.get(job_id)


async def _move(
    unit: Unit, job_id: str, state: JobState, among: tuple[JobState, ...], *, slot: str | None = None, note: str = ""
) -> bool:
    """Bring a job from one of these states to another; False if it is in none of them, or of another slot."""
    job = await unit.jobs.lock(job_id)
    if job is None or job.state not in among or (slot is not None and job.slot != slot):
        return False
    await unit.jobs.move(job_id, state, note)
    return True
