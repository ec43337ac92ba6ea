"""What is thrown away: adapters that nothing refers to, sets and runs of jobs that ended long ago."""

from __future__ import annotations

import asyncio

import structlog

from storage.database import Database
from storage.registry import Registry
from storage.repositories.jobs import ENDED
from storage.settings import StorageSettings
from training.cycle import forgetting
from training.cycle.places import JobFolder
from training.settings import TrainingSettings

log = structlog.get_logger(__name__)


async def tidy(database: Database, registry: Registry, storage: StorageSettings, settings: TrainingSettings) -> None:
    """Collect garbage in the registry and on the disk."""
    if gone := await registry.collect_garbage(settings.keep_adapters):
        log.info("adapters thrown away", adapters=gone)
    async with database.view() as unit:
        rows = await unit.jobs.last(10_000)
    old = [row.job_id for row in rows if row.state in ENDED][settings.keep_jobs :]
    for job_id in old:
        folder = JobFolder.of(storage.dir, job_id)
        if folder.path.is_dir():
            # Verdict, report and picture stay: they are small, and somebody may ask why.
            await asyncio.to_thread(forgetting.purge, folder)
            await asyncio.to_thread(folder.drop, "runs")
