"""A lease is let go of before somebody else can have the job."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.repositories.jobs import NotOurs
from training.cycle import holding
from training.cycle.holding import Interrupted, held


async def claimed(place: Path, lease: float) -> Database:
    url = f"sqlite+aiosqlite:///{place / 'sql'}"
    await upgrade(url)
    database = Database(url)
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="job", method="auto"), trigger="admin")
        await unit.jobs.claim("me", lease)
        await unit.commit()
    return database


class Clock:
    """Time that passes by being slept, however busy the machine is."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def test_a_lease_is_kept_while_somebody_works(tmp_path: Path) -> None:
    database = await claimed(tmp_path, 4.0)

    async def ends() -> datetime:
        async with database.view() as unit:
            row = await unit.jobs.get("job")
        assert row is not None and row.lease_until is not None
        return row.lease_until

    first = await ends()
    async with held(database, "job", "me", 4.0, asyncio.Event()) as hold, asyncio.timeout(60):
        while await ends() <= first:  # noqa: ASYNC110 - read from SQL
            await asyncio.sleep(0.05)
        hold.check()
        async with database.unit() as unit:
            assert await unit.jobs.claim("another", 4.0) is None
    await database.close()


async def test_without_sql_the_work_ends_before_the_lease_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, clock = await claimed(tmp_path, 30.0), Clock()
    passing = SimpleNamespace(sleep=clock.sleep, wait_for=asyncio.wait_for, create_task=asyncio.create_task)
    passing.CancelledError = asyncio.CancelledError
    monkeypatch.setattr(holding, "time", clock)
    monkeypatch.setattr(holding, "asyncio", passing)

    def away(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, ConnectionRefusedError())

    monkeypatch.setattr(database, "view", away)
    monkeypatch.setattr(database, "unit", away)
    async with held(database, "job", "me", 30.0, asyncio.Event()) as hold, asyncio.timeout(60):
        while hold.ended is None:
            assert clock.now < 30.0, "somebody else may have it by now"
            await asyncio.sleep(0)
        with pytest.raises(Interrupted, match="lost"):
            hold.check()
    assert clock.now > 20.0, "a short absence is waited for"
    await database.close()


async def test_a_stopping_trainer_and_a_cancelled_job_are_told_apart(tmp_path: Path) -> None:
    database, stop = await claimed(tmp_path, 60.0), asyncio.Event()
    async with held(database, "job", "me", 60.0, stop) as hold:
        async with database.unit() as unit:
            await unit.jobs.ask_cancel("job")
            await unit.commit()
        async with asyncio.timeout(60):
            while hold.ended is None:  # noqa: ASYNC110 - a background task finds it
                await asyncio.sleep(0.02)
        with pytest.raises(Interrupted, match="cancel"):
            hold.check()
    async with held(database, "job", "me", 60.0, stop) as hold:
        stop.set()
        with pytest.raises(Interrupted, match="stop"):
            hold.check()
    await database.close()


@pytest.mark.postgres
async def test_many_trainers_claim_one_job_once_and_only_its_owner_moves_it(postgres_url: str) -> None:
    await upgrade(postgres_url)
    database = Database(postgres_url)
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="job", method="auto"), trigger="admin")
        await unit.commit()

    async def claim(owner: str) -> str | None:
        async with database.unit() as unit:
            row = await unit.jobs.claim(owner, 30.0)
            await asyncio.sleep(0.05)
            await unit.commit()
            return row.owner if row is not None else None

    found = [owner for owner in await asyncio.gather(*(claim(f"trainer {n}") for n in range(6))) if owner]
    assert len(found) == 1
    async with database.unit() as unit:
        with pytest.raises(NotOurs):
            await unit.jobs.move("job", JobState.PREPARING, owner="somebody else")
        assert (await unit.jobs.move("job", JobState.PREPARING, owner=found[0])).state == "preparing"
        await unit.jobs.release("job", "somebody else")
        assert await unit.jobs.claim("somebody else", 30.0) is None
        await unit.jobs.release("job", found[0], attempts=0)
        again = await unit.jobs.claim("somebody else", 30.0)
        assert again is not None and again.attempts == 1
    await database.close()
