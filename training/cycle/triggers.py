"""When a refit starts by itself: by the clock, and by the count of new ratings. Decisions are pure; rows are written in
one unit, so that two trainers never order the same refit twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import structlog
from cronsim import CronSim, CronSimError

from storage.contracts import DataSummary, TrainJob, now
from storage.database import Database, Unit
from storage.loop_tables import JobRow
from training.cycle.order import SHARED
from training.settings import TrainingSettings

log = structlog.get_logger(__name__)

Trigger = Literal["schedule", "ratings"]


def check_schedule(line: str) -> None:
    """ValueError with advice if a cron line is none, or names no moment at all."""
    try:
        next(CronSim(line, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(
            f"no cron line ({error}); five fields are needed: minute hour day month weekday, such as 30 3 * * *"
        ) from None
    except StopIteration:
        raise ValueError("this cron line never comes due") from None


def last_due(line: str, zone: str, moment: datetime) -> datetime:
    """The newest moment up to now at which the line was due, in UTC."""
    # One that is due this very second counts: the library gives moments before the one it is asked with.
    local = moment.astimezone(ZoneInfo(zone))
    exact = local.replace(second=0, microsecond=0)
    later = datetime.fromtimestamp(exact.timestamp() + 60, ZoneInfo(zone))
    found: datetime = next(CronSim(line, later, reverse=True))
    return found.astimezone(UTC)


@dataclass(frozen=True)
class Known:
    """What a decision goes by. `handled`: the last due moment that was seen to, None before the first look;
    `ratings`: those that came since the slot's last refit; `able`: whether there is enough to learn from, None if
    nobody has looked yet."""

    handled: datetime | None
    ratings: int
    busy: bool
    able: bool | None


@dataclass(frozen=True)
class Decision:
    """`start`: why a refit is to begin now. `handled`: the due moment that is seen to by it, or without it."""

    start: Trigger | None = None
    handled: datetime | None = None


def decide(settings: TrainingSettings, known: Known, moment: datetime) -> Decision:
    """Whether a refit is due. A moment missed while the trainer was down, or while another refit ran, is made up for
    once; a moment at which there was nothing to learn passes."""
    due = last_due(settings.schedule, settings.timezone, moment) if settings.schedule else None
    if due is not None and known.handled is None:
        return Decision(handled=due)
    missed = due is not None and known.handled is not None and due > known.handled
    if known.busy:
        return Decision()
    if missed:
        worth = known.ratings > 0 and known.able is not False
        return Decision("schedule" if worth else None, due)
    if settings.min_ratings and known.ratings >= settings.min_ratings and known.able is not False:
        return Decision("ratings")
    return Decision()


async def look(
    database: Database, settings: TrainingSettings, summary: DataSummary | None, moment: datetime | None = None
) -> JobRow | None:
    """Order a refit of the shared slot if one is due; the row that was added."""
    moment = moment or now()
    async with database.unit() as unit:
        name = mark_name(settings)
        last = await unit.jobs.newest(SHARED)
        ratings = await unit.jobs.ratings_since(last.created_at if last is not None else None)
        known = Known(
            handled=await _handled(unit, name),
            ratings=ratings,
            busy=bool(await unit.jobs.open(SHARED)),
            # A summary from before the newest ratings says nothing about them.
            able=summary.method is not None if summary is not None and summary.ratings == ratings else None,
        )
        decision = decide(settings, known, moment)
        if decision.handled is not None:
            before = int(known.handled.timestamp()) if known.handled is not None else 0
            await unit.counters.add(name, int(decision.handled.timestamp()) - before)
        added = None
        if decision.start is not None:
            order = TrainJob(job_id=_job_id(decision, last, moment), method="auto")
            added = await unit.jobs.add(order, trigger=decision.start)
        await unit.commit()
    if added is not None:
        log.info("refit ordered", job=added.job_id, trigger=decision.start)
    return added


def mark_name(settings: TrainingSettings) -> str:
    """The counter that remembers this schedule; another schedule begins anew."""
    line = f"{settings.schedule}|{settings.timezone}"
    return f"schedule:{hashlib.blake2b(line.encode(), digest_size=8).hexdigest()}"


async def _handled(unit: Unit, name: str) -> datetime | None:
    seconds = await unit.counters.get(name)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _job_id(decision: Decision, last: JobRow | None, moment: datetime) -> str:
    """The same for two trainers that see the same."""
    if decision.start == "schedule" and decision.handled is not None:
        return f"clock-{decision.handled:%Y%m%d-%H%M}"
    after = hashlib.blake2b((last.job_id if last is not None else "").encode(), digest_size=4).hexdigest()
    return f"count-{moment:%Y%m%d}-{after}"
