"""What a refit would learn from now, for the admins' panel: counted as a refit counts, in a process of its own.

Looked at anew only when somebody has rated; a look that takes long comes more seldom. Knows SQL, no model.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, select

from storage.contracts import DataSummary
from storage.database import Database
from storage.settings import StorageSettings
from storage.tables import ForgottenRow, PersonRow, RatingRow
from training.cycle.child import StepProcess
from training.cycle.choosing import Counts
from training.cycle.order import SHARED, Order
from training.cycle.places import JobFolder
from training.settings import TrainingSettings

log = structlog.get_logger(__name__)

# A look may take this share of the time; between two looks there is at least a minute.
SHARE, LEAST_SECONDS = 0.1, 60.0
PATIENCE = 3600.0


class Summing:
    """Keeps the summary current."""

    def __init__(self, database: Database, storage: StorageSettings, settings: TrainingSettings) -> None:
        self.database, self.storage, self.settings = database, storage, settings
        self.folder = JobFolder(storage.dir.absolute() / "training" / "summary")
        self.seen: tuple[Any, ...] | None = None
        self.next = 0.0
        self.newest: DataSummary | None = None

    async def look(self, env: dict[str, str]) -> DataSummary | None:
        """The new summary, None if nothing changed or it is too early for another look."""
        if time.monotonic() < self.next:
            return None
        async with self.database.view() as unit:
            last = await unit.jobs.newest(SHARED)
            state = (*await self._changed(unit.session), last.job_id if last is not None else None)
            since = await unit.jobs.ratings_since(last.created_at if last is not None else None)
        if state == self.seen:
            return None
        began = time.monotonic()
        told = await self._count(env)
        self.next = time.monotonic() + max(LEAST_SECONDS, (time.monotonic() - began) / SHARE)
        if told is None:
            return None
        self.seen = state
        self.newest = DataSummary(
            rows=told["rows"], people=told["people"], ratings=since, method=told["method"], why=tuple(told["ru"])
        )
        return self.newest

    async def _changed(self, session: Any) -> tuple[int, datetime | None, int, int]:
        """What changes with every rating, consent and farewell."""
        count, newest = (await session.execute(select(func.count(), func.max(RatingRow.updated_at)))).one()
        agreed = await session.scalar(select(func.count()).where(PersonRow.consent.is_(True)))
        gone = await session.scalar(select(func.count()).select_from(ForgottenRow))
        return int(count), newest, int(agreed or 0), int(gone or 0)

    async def _count(self, env: dict[str, str]) -> dict[str, Any] | None:
        self.folder.make()
        self.folder.drop("summary.json")
        order = Order(job_id="summary", method=self.settings.method, base="bundled", settings=self.settings)
        self.folder.write("job", order.model_dump(mode="json"))
        process = await StepProcess.start("summary", self.folder, env)
        try:
            code = await process.wait(PATIENCE)
        finally:
            await process.stop(0.0)
            self.folder.drop("sets")
        if code != 0:
            told = self.folder.read("failure") or {}
            log.warning("data not counted", status=code, reason=told.get("reason"))
            return None
        return self.folder.read("summary")


def summarize(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """In the process of its own: freeze, count, choose, write `summary.json`, and leave nobody's words behind."""
    from training.cycle import preparing, replay
    from training.cycle.choosing import choose

    folder.drop("sets")
    folder.drop("presets.json")
    known = preparing.emotions(folder, storage)
    told = preparing.freeze(folder.sets, storage, order, known)
    counts = replay.count(preparing.frozen_sets(folder, order.slot, told), preparing.people(told))
    choice = choose(counts, preparing.needs(order.settings), order.method)
    folder.write("summary", {"rows": rows(counts), "people": counts.people, **choice.as_json()})
    folder.drop("sets")


def rows(counts: Counts) -> dict[str, int]:
    """Rows by kind."""
    return {name: value for name, value in asdict(counts).items() if isinstance(value, int) and name != "people"}
