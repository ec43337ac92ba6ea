"""Training jobs: ordered, held by one trainer at a time, moved from state to state. Knows nothing of training."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import JobState, TrainJob, now
from storage.loop_tables import JobChangeRow, JobRow
from storage.tables import RatingRow

# What a trainer works on; a canary is watched by whoever runs the loop, the rest has ended.
WORKABLE = (JobState.QUEUED, JobState.PREPARING, JobState.TRAINING, JobState.EVALUATING)
ENDED = (JobState.LIVE, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED)


class NotOurs(Exception):
    """Another trainer holds the job now, or it has ended: whoever gets this lets go of it."""


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

    async def newest(self, slot: str) -> JobRow | None:
        """The slot's newest job, whatever became of it."""
        query = select(JobRow).where(JobRow.slot == slot).order_by(JobRow.created_at.desc()).limit(1)
        found: JobRow | None = await self.session.scalar(query)
        return found

    async def open(self, slot: str | None = None) -> Sequence[JobRow]:
        """Jobs that have not ended, oldest first; of one slot, if it is named."""
        query = select(JobRow).where(JobRow.state.not_in(ENDED)).order_by(JobRow.created_at)
        return (await self.session.scalars(query if slot is None else query.where(JobRow.slot == slot))).all()

    async def changes(self, job_id: str) -> Sequence[JobChangeRow]:
        """The states that a job was in, in order."""
        query = select(JobChangeRow).where(JobChangeRow.job_id == job_id).order_by(JobChangeRow.id)
        return (await self.session.scalars(query)).all()

    async def add(self, order: TrainJob, *, trigger: str, slot: str = "shared") -> JobRow:
        """Queue a job; the same `job_id` again, or a slot whose job has not ended, gives the job that is there."""
        # Jobs are added one after another; on SQLite writing units take turns anyway.
        if self.session.get_bind().dialect.name == "postgresql":
            await self.session.execute(text("SELECT pg_advisory_xact_lock(4841563419)"))
        known = await self.get(order.job_id) or next(iter(await self.open(slot)), None)
        if known is not None:
            return known
        row = JobRow(job_id=order.job_id, order=order.model_dump(mode="json"), trigger=trigger, slot=slot)
        row.state = JobState.QUEUED.value
        self.session.add(row)
        await self.session.flush()
        self.session.add(JobChangeRow(job_id=order.job_id, state=row.state))
        await self.session.flush()
        return row

    async def waiting(self) -> bool:
        """Whether there is a job that nobody works on."""
        free = or_(JobRow.lease_until.is_(None), JobRow.lease_until < now())
        return (
            await self.session.scalar(select(JobRow.job_id).where(JobRow.state.in_(WORKABLE), free).limit(1))
            is not None
        )

    async def claim(self, owner: str, lease_seconds: float, *, job_id: str | None = None) -> JobRow | None:
        """The oldest job that nobody works on (or the one named), now held by `owner`; None if there is none."""
        free = or_(JobRow.lease_until.is_(None), JobRow.lease_until < now(), JobRow.owner == owner)
        query = (
            select(JobRow)
            .where(JobRow.state.in_(WORKABLE), free)
            .order_by(JobRow.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if job_id is not None:
            query = query.where(JobRow.job_id == job_id)
        row = await self.session.scalar(query)
        if row is None:
            return None
        row.owner, row.lease_until = owner, now() + timedelta(seconds=lease_seconds)
        row.attempts += 1
        row.started_at = row.started_at or now()
        await self.session.flush()
        return row

    async def renew(self, job_id: str, owner: str, lease_seconds: float) -> bool:
        """Sign of life of the owner; False: the job is somebody else's or has ended. Whether it is to be given up says
        `cancel` of its row."""
        row = await self.lock(job_id)
        if row is None or row.owner != owner or row.state in ENDED:
            return False
        row.lease_until = now() + timedelta(seconds=lease_seconds)
        return True

    async def release(self, job_id: str, owner: str, *, attempts: int | None = None) -> None:
        """Let another trainer take the job at once; `attempts`: how many count from now on."""
        values: dict[str, Any] = {"owner": None, "lease_until": None}
        if attempts is not None:
            values["attempts"] = attempts
        await self.session.execute(
            update(JobRow).where(JobRow.job_id == job_id, JobRow.owner == owner).values(**values)
        )

    async def note(self, job_id: str, owner: str, **values: Any) -> None:
        """Columns of a job that its owner works on, such as step and loss; nothing happens at somebody else's."""
        await self.session.execute(
            update(JobRow).where(JobRow.job_id == job_id, JobRow.owner == owner).values(**values)
        )

    async def ratings_since(self, moment: datetime | None) -> int:
        """Judgements that came or changed after a moment; all of them without one."""
        query = select(func.count()).select_from(RatingRow)
        return int(
            await self.session.scalar(query if moment is None else query.where(RatingRow.updated_at > moment)) or 0
        )

    async def move(
        self, job_id: str, state: JobState, note: str = "", *, owner: str | None = None, **values: Any
    ) -> JobRow:
        """A job's next state, with other columns to set; LookupError if there is no such job, ValueError at one that
        has ended, NotOurs if `owner` is named and does not hold it any more."""
        row = await self.lock(job_id)
        if row is None:
            raise LookupError(f"there is no job {job_id}")
        if owner is not None and row.owner != owner:
            raise NotOurs(f"job {job_id} is not held by {owner} any more")
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
