"""A lease is let go of before somebody else can have the job."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.repositories.jobs import NotOurs
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


async def test_a_lease_is_kept_while_somebody_works(tmp_path: Path) -> None:
    database = await claimed(tmp_path, 0.6)
    async with held(database, "job", "me", 0.6, asyncio.Event()) as hold:
        await asyncio.sleep(1.5)
        hold.check()
        async with database.unit() as unit:
            assert await unit.jobs.claim("another", 0.6) is None
    await database.close()


async def test_without_sql_the_work_ends_before_the_lease_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await claimed(tmp_path, 1.0)
    began = time.monotonic()

    def away(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, ConnectionRefusedError())

    monkeypatch.setattr(database, "view", away)
    monkeypatch.setattr(database, "unit", away)
    async with held(database, "job", "me", 1.0, asyncio.Event()) as hold:
        while True:
            try:
                hold.check()
            except Interrupted as interrupted:
                assert interrupted.why == "lost"
                break
            assert time.monotonic() - began < 3
            await asyncio.sleep(0.02)
    assert 0.7 < time.monotonic() - began < 1.3
    await database.close()


async def test_a_stopping_trainer_and_a_cancelled_job_are_told_apart(tmp_path: Path) -> None:
    database, stop = await claimed(tmp_path, 2.0), asyncio.Event()
    async with held(database, "job", "me", 2.0, stop) as hold:
        async with database.unit() as unit:
            await unit.jobs.ask_cancel("job")
            await unit.commit()
        await asyncio.sleep(0.8)
        with pytest.raises(Interrupted, match="cancel"):
            hold.check()
    async with held(database, "job", "me", 2.0, stop) as hold:
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
