"""What operators change, each deed with its line in the audit, in one unit of work. Whoever comes second is told.

Knows no Telegram. Whether somebody may do it was checked before (`bot.admin.gate`).
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.contracts import TrainJob
from storage.database import Database
from storage.loop_tables import JobRow
from storage.repositories.jobs import WORKABLE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a deed: `done`, or not, and how the job stands now. `why`: what stood in the way, if a person
    can do something about it."""

    done: bool
    job: JobRow | None = None
    why: str = ""


class Deeds:
    """One method a deed."""

    def __init__(self, database: Database) -> None:
        self.database = database

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
