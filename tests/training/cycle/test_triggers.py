"""When a refit starts by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from storage.contracts import DataSummary, JobState, Rating, TrainJob, now
from storage.database import Database, upgrade
from training.cycle.triggers import Decision, Known, decide, last_due, look
from training.settings import TrainingSettings

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
NIGHT = datetime(2026, 3, 10, 3, 30, tzinfo=UTC)


def settings(**given: Any) -> TrainingSettings:
    return TrainingSettings(**given)


def known(handled: datetime | None = None, ratings: int = 10, busy: bool = False, able: bool | None = True) -> Known:
    return Known(handled=handled, ratings=ratings, busy=busy, able=able)


def test_the_last_due_moment_in_a_time_zone() -> None:
    assert last_due("30 3 * * *", "UTC", NOON) == NIGHT
    assert last_due("30 3 * * *", "UTC", NIGHT) == NIGHT
    assert last_due("30 3 * * *", "UTC", NIGHT - timedelta(seconds=1)) == NIGHT - timedelta(days=1)
    assert last_due("30 3 * * *", "Europe/Moscow", NOON) == NIGHT - timedelta(hours=3)
    assert last_due("0 4 * * 0", "UTC", NOON) == datetime(2026, 3, 8, 4, 0, tzinfo=UTC)


def test_a_clock_change_neither_loses_nor_doubles_a_refit() -> None:
    # Berlin skips 2:30 on 29 March 2026 and has it twice on 25 October.
    spring = [last_due("30 2 * * *", "Europe/Berlin", datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (28, 29, 30)]
    autumn = [last_due("30 2 * * *", "Europe/Berlin", datetime(2026, 10, day, 12, tzinfo=UTC)) for day in (24, 25, 26)]
    assert len(set(spring)) == 3 and len(set(autumn)) == 3
    assert [one.day for one in spring] == [28, 29, 30] and [one.day for one in autumn] == [24, 25, 26]


def test_the_first_look_starts_nothing_for_moments_before_it() -> None:
    assert decide(settings(), known(), NOON) == Decision(None, NIGHT)


def test_a_due_moment_starts_once_and_a_week_of_missed_ones_starts_once() -> None:
    week_ago = NIGHT - timedelta(days=7)
    assert decide(settings(), known(week_ago), NOON) == Decision("schedule", NIGHT)
    assert decide(settings(), known(NIGHT), NOON) == Decision()


@pytest.mark.parametrize("reason", [{"ratings": 0}, {"able": False}])
def test_a_night_with_nothing_to_learn_passes(reason: dict[str, Any]) -> None:
    assert decide(settings(), known(NIGHT - timedelta(days=1), **reason), NOON) == Decision(None, NIGHT)


def test_a_busy_slot_puts_the_refit_off_not_out() -> None:
    before = NIGHT - timedelta(days=1)
    assert decide(settings(), known(before, busy=True), NOON) == Decision()
    assert decide(settings(), known(before), NOON + timedelta(hours=2)).start == "schedule"


def test_enough_new_ratings_start_a_refit_where_that_is_wanted() -> None:
    wanted = settings(min_ratings=100, schedule=None)
    assert decide(wanted, known(ratings=100), NOON) == Decision("ratings")
    assert decide(wanted, known(ratings=99), NOON) == Decision()
    assert decide(wanted, known(ratings=500, busy=True), NOON) == Decision()
    assert decide(wanted, known(ratings=500, able=False), NOON) == Decision()
    assert decide(settings(schedule=None), known(ratings=10_000), NOON) == Decision()


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'sql'}"
    await upgrade(url)
    found = Database(url)
    yield found
    await found.close()


async def rate(database: Database, count: int) -> None:
    async with database.unit() as unit:
        for number in range(count):
            rating = Rating(
                rating_id=f"{now()}-{number}", chat_id=1, message_id=number, user_id=7, request_id=f"r{number}", thumb=1
            )
            await unit.ratings.store(rating)
        await unit.commit()


async def end(database: Database, job_id: str) -> None:
    async with database.unit() as unit:
        await unit.jobs.move(job_id, JobState.REJECTED)
        await unit.commit()


async def test_counted_ratings_order_one_job_and_begin_to_count_anew(database: Database) -> None:
    wanted = settings(min_ratings=5, schedule=None)
    await rate(database, 4)
    assert await look(database, wanted, None) is None
    await rate(database, 6)
    first = await look(database, wanted, None)
    assert first is not None and (first.trigger, first.state, first.slot) == ("ratings", "queued", "shared")
    assert await look(database, wanted, None) is None
    await end(database, first.job_id)
    assert await look(database, wanted, None) is None
    await rate(database, 10)
    second = await look(database, wanted, None)
    assert second is not None and second.job_id != first.job_id


async def test_a_summary_holds_a_refit_back_only_while_nobody_has_rated_since(database: Database) -> None:
    wanted = settings(min_ratings=5, schedule=None)
    await rate(database, 6)
    assert await look(database, wanted, DataSummary(method=None, ratings=6)) is None
    assert await look(database, wanted, DataSummary(method=None, ratings=4)) is not None


async def test_a_night_is_remembered_over_restarts(database: Database) -> None:
    await rate(database, 3)
    able = DataSummary(method="kto")
    assert await look(database, settings(), able, NOON) is None
    assert await look(database, settings(), able, NOON + timedelta(hours=10)) is None
    added = await look(database, settings(), able, NOON + timedelta(days=3))
    assert added is not None and added.trigger == "schedule" and added.job_id == "clock-20260313-0330"
    await end(database, added.job_id)
    await rate(database, 9)
    assert await look(database, settings(), able, NOON + timedelta(days=3, hours=1)) is None
    assert await look(database, settings(), able, NOON + timedelta(days=4)) is not None


async def test_a_slot_has_one_open_job_whoever_orders(database: Database) -> None:
    async with database.unit() as unit:
        first = await unit.jobs.add(TrainJob(job_id="one", method="auto"), trigger="admin")
        second = await unit.jobs.add(TrainJob(job_id="two", method="dpo"), trigger="admin")
        other = await unit.jobs.add(TrainJob(job_id="three", method="dpo"), trigger="admin", slot="joy")
        await unit.commit()
    assert (first.job_id, second.job_id, other.job_id) == ("one", "one", "three")


@pytest.mark.postgres
async def test_two_orders_at_once_are_one_job_on_postgres(postgres_url: str) -> None:
    import asyncio

    await upgrade(postgres_url)
    database = Database(postgres_url)

    async def add(job_id: str) -> str:
        async with database.unit() as unit:
            row = await unit.jobs.add(TrainJob(job_id=job_id, method="auto"), trigger="admin")
            await asyncio.sleep(0.05)
            await unit.commit()
            return row.job_id

    found = await asyncio.gather(*(add(f"job-{number}") for number in range(6)))
    await database.close()
    assert len(set(found)) == 1
