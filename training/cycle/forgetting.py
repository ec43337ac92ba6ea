"""People who asked to be forgotten leave the frozen sets of jobs too, and what was made of them. Knows files and SQL.

The adapters themselves are marked by the registry.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from storage.database import Database
from training.cycle.places import JobFolder

log = structlog.get_logger(__name__)

# Everything that holds people's words, or follows from them.
WORDS = ("sets", "sets.json", "evaluation")
REST = (
    "presets.json",
    "plan.json",
    "evidence.json",
    "verdict.json",
    "evaluating.json",
    "runs",
    "recipes",
    "report.md",
    "picture.png",
)


async def concerns(database: Database, folder: JobFolder) -> set[int]:
    """Whose rows are in a job's sets although they asked to be forgotten since."""
    told = folder.read("sets")
    if told is None:
        return set()
    frozen = datetime.fromisoformat(told["at"])
    people = set(told["people"])
    async with database.view() as unit:
        forgotten = await unit.people.forgotten()
    return {user for user, row in forgotten.items() if user in people and row.at >= frozen}


def begin_anew(folder: JobFolder) -> None:
    """Drop what a job has made so far; its adapter is not in the registry yet."""
    log.info("somebody was forgotten: the refit begins anew", folder=folder.path.name)
    folder.drop(*WORDS, *REST, *(place.name for place in folder.path.glob("mixed_*")))


def purge(folder: JobFolder) -> None:
    """Remove people's words from an ended job; its report, verdict and picture stay."""
    folder.drop(*WORDS, *(place.name for place in folder.path.glob("mixed_*")))
    for run in (folder.path / "runs").glob("*"):
        JobFolder(run).drop("tokens", "checkpoints", "checkpoint")


@dataclass
class ByHand:
    """Sets under STORAGE_DIR that no job made: people leave them as soon as they are forgotten. Remembers whom it has
    looked after, so that the disk is searched for somebody's rows once in a trainer's life."""

    storage: Path
    done: dict[int, datetime] = field(default_factory=dict)

    async def look(self, database: Database) -> int:
        """Rows removed. Jobs' own sets are `purge_all`'s."""
        from training.data.feedback.purging import purge as purge_sets

        async with database.view() as unit:
            forgotten = {user: row.at for user, row in (await unit.people.forgotten()).items()}
        removed, storage = 0, self.storage.absolute()
        for user, at in forgotten.items():
            if self.done.get(user) != at:
                gone = await asyncio.to_thread(purge_sets, storage, [user], before=at, beside=storage / "jobs")
                removed += sum(gone.values())
                self.done[user] = at
        return removed


async def purge_all(database: Database, storage: Path, busy: set[str]) -> list[str]:
    """Purge every job's folder that a forgotten person is in; those of `busy` jobs look after themselves."""
    purged = []
    for folder in await asyncio.to_thread(_with_sets, storage):
        if folder.path.name not in busy and await concerns(database, folder):
            await asyncio.to_thread(purge, folder)
            purged.append(folder.path.name)
    return purged


def _with_sets(storage: Path) -> list[JobFolder]:
    return [JobFolder(place.parent) for place in sorted((storage.absolute() / "jobs").glob("*/sets.json"))]
