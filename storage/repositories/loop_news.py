"""What changed in the loop since somebody last looked: jobs' states and slots' pointers, by number. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.loop_tables import JobChangeRow, JobRow, SlotChangeRow

Change = JobChangeRow | SlotChangeRow


class LoopNews:
    """Rows of `job_changes` and `slot_changes`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def before(self, change: JobChangeRow) -> str | None:
        """The state that a job had before a change."""
        query = select(JobChangeRow.state).where(JobChangeRow.job_id == change.job_id, JobChangeRow.id < change.id)
        found: str | None = await self.session.scalar(query.order_by(JobChangeRow.id.desc()).limit(1))
        return found

    async def jobs(self, after: int, limit: int) -> Sequence[tuple[JobChangeRow, JobRow]]:
        """Changes with a greater number and the job as it is now, oldest first."""
        rows = await self.session.execute(
            select(JobChangeRow, JobRow)
            .join(JobRow, JobRow.job_id == JobChangeRow.job_id)
            .where(JobChangeRow.id > after)
            .order_by(JobChangeRow.id)
            .limit(limit)
        )
        return [(change, job) for change, job in rows]

    async def slots(self, after: int, limit: int) -> Sequence[SlotChangeRow]:
        """Changes with a greater number, oldest first."""
        query = select(SlotChangeRow).where(SlotChangeRow.id > after).order_by(SlotChangeRow.id).limit(limit)
        return (await self.session.scalars(query)).all()

    async def newest(self, limit: int) -> tuple[list[int], list[int]]:
        """The numbers of the newest changes of jobs and of slots."""
        jobs = await self.session.scalars(select(JobChangeRow.id).order_by(JobChangeRow.id.desc()).limit(limit))
        slots = await self.session.scalars(select(SlotChangeRow.id).order_by(SlotChangeRow.id.desc()).limit(limit))
        return [int(one) for one in jobs], [int(one) for one in slots]
