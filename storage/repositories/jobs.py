"""Training jobs: ordered, held by one trainer at a time, moved from state to state. Knows nothing of training."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import JobState, TrainJob, now
from storage.loop_tables import JobChangeRow, JobRow

# What a trainer works on; a canary is watched by whoever runs the loop, the rest has ended.
WORKABLE = (JobState.QUEUED, JobState.PREPARING, JobState.TRAINING, JobState.EVALUATING)
ENDED = (JobState.LIVE, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED)


class Jobs:
    """Rows of `jobs` and `job_changes`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, job_id: str) -> JobRow | None:
        """One job."""
        return await self.session.get(JobRow, job_id)

    async def lock(self, job_id: str) -> JobRow | None:
        """One job, locked until the unit ends."""
        return await self.session.get(JobRow, job_id, with_for_update=True, populate_existing=True)

    async def last(self, limit: int = 20) -> Sequence[JobRow]:
        """The newest jobs first."""
        return (await self.session.scalars(select(JobRow).order_by(JobRow.created_at.desc()).limit(limit))).all()

    async def open(self, slot: str | None = None) -> Sequence[JobRow]:
        """Jobs that have not ended, oldest first; of one slot, if it is named."""
        query = select(JobRow).where(JobRow.state.not_in(ENDED)).order_by(JobRow.created_at)
        return (await self.session.scalars(query if slot is None else query.where(JobRow.slot == slot))).all()

    async def changes(self, job_id: str) -> Sequence[JobChangeRow]:
        """The states that a job was in, in order."""
        query = select(JobChangeRow).where(JobChangeRow.job_id == job_id).order_by(JobChangeRow.id)
        return (await self.session.scalars(query)).all()

    async def add(self, order: TrainJob, *, trigger: str, slot: str = "shared") -> JobRow:
        """Queue a job; the same `job_id` again gives the job that is there."""
        known = await self.get(order.job_id)
        if known is not None:
            return known
        row = JobRow(job_id=order.job_id, order=order.model_dump(mode="json"), trigger=trigger, slot=slot)
        row.state = JobState.QUEUED.value
        self.session.add(row)
        await self.session.flush()
        self.session.add(JobChangeRow(job_id=order.job_id, state=row.state))
        await self.session.flush()
        return row

    async def claim(self, owner: str, lease_seconds: float) -> JobRow | None:
        """The oldest job that nobody works on, now held by `owner`; None if there is none."""
        free = or_(JobRow.lease_until.is_(None), JobRow.lease_until < now(), JobRow.owner == owner)
        query = (
            select(JobRow)
            .where(JobRow.state.in_(WORKABLE), free)
            .order_by(JobRow.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = await self.session.scalar(query)
        if row is None:
            return None
        row.owner, row.lease_until = owner, now() + timedelta(seconds=lease_seconds)
        row.attempts += 1
        row.started_at = row.started_at or now()
        await self.session.flush()
        return row

    async def renew(self, job_id: str, owner: str, lease_seconds: float) -> bool:
        """Sign of life of the owner; False: the job is somebody else's, has ended, or is to be given up."""
        row = await self.lock(job_id)
        if row is None or row.owner != owner or row.state in ENDED:
            return False
        row.lease_until = now() + timedelta(seconds=lease_seconds)
        return True

    async def move(self, job_id: str, state: JobState, note: str = "", **values: Any) -> JobRow:
        """A job's next state, with other columns to set; LookupError if there is no such job, ValueError at one that
        has ended."""
        row = await self.lock(job_id)
        if row is None:
            raise LookupError(f"there is no job {job_id}")
        if row.state in ENDED and row.state != state:
            raise ValueError(f"job {job_id} has ended ({row.state}); it cannot become {state}")
        for name, value in values.items():
            setattr(row, name, value)
        row.state = state.value
        if state in ENDED:
            row.ended_at, row.owner, row.lease_until = now(), None, None
        elif state not in WORKABLE:
            row.owner, row.lease_until = None, None
        self.session.add(JobChangeRow(job_id=job_id, state=state.value, note=note))
        await self.session.flush()
        return row

    async def ask_cancel(self, job_id: str) -> bool:
        """Ask whoever works on a job to stop; a job that waits, or that was trained, ends at once. False: ended."""
        row = await self.lock(job_id)
        if row is None or row.state in ENDED:
            return False
        row.cancel = True
        if row.owner is None:
            await self.move(job_id, JobState.CANCELLED, "cancelled")
        return True
