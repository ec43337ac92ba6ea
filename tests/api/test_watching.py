"""Many readers of one refit: all are told, whoever has waited enough hears a sign of life, nothing is left of them."""

from __future__ import annotations

import asyncio

import pytest

from bot.api import access
from bot.api.jobs import over, text_of
from bot.api.watching import Watch
from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.loop_tables import JobRow
from storage.settings import StorageSettings
from tests.api.conftest import Desk


async def test_a_change_reaches_every_reader_and_silence_is_broken(storage_settings: StorageSettings) -> None:
    await upgrade(storage_settings.database())
    database = Database(storage_settings.database())
    watch = Watch(database, text_of, over)
    async with database.unit() as unit:
        row = await unit.jobs.add(TrainJob(job_id="a", method="kto"), trigger="command")
        await unit.commit()
    looking = asyncio.create_task(watch.run())

    async def read(job: JobRow) -> tuple[list[int], int]:
        numbers, quiet = [], 0
        async for change in watch.follow(job, 0.2):
            if change is None:
                quiet += 1
            else:
                numbers.append(change[0])
        return numbers, quiet

    readers = [asyncio.create_task(read(row)) for _ in range(300)]
    await asyncio.sleep(0.5)
    assert watch.readers == 300
    async with database.unit() as unit:
        await unit.jobs.move("a", JobState.CANCELLED)
        await unit.commit()
    found = await asyncio.wait_for(asyncio.gather(*readers), 20)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    await database.close()
    assert all(numbers == [1, 2] and quiet >= 1 for numbers, quiet in found)
    assert watch.readers == 0 and not watch._known and not watch._waiting


async def test_a_stream_ends_for_whoever_may_no_longer_see_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "ASK_AGAIN", 0.1)
    key = await desk.make_key("admin")
    async with desk.client(desk.admin_key) as client, desk.client(key) as other:
        job = (await client.post("/v1/jobs", json={"method": "kto"})).json()["id"]
        async with other.stream("GET", f"/v1/jobs/{job}/events") as stream:
            lines = stream.aiter_lines()
            seen = [await anext(lines) for _ in range(3)]
            async with desk.database.unit() as unit:
                assert await unit.api_keys.revoke(key.split("_")[1])
                await unit.commit()
            await asyncio.sleep(0.2)
            async with desk.database.unit() as unit:
                await unit.jobs.claim("trainer", 60)
                await unit.jobs.move(job, JobState.TRAINING, step=1, steps=10, loss=0.5)
                await unit.commit()
            async with asyncio.timeout(10):
                rest = [line async for line in lines]
        still = await client.get(f"/v1/jobs/{job}")
    assert seen[1] == "event: job" and "queued" in seen[2]
    assert not any("training" in line for line in rest)
    assert still.json()["state"] == "training"
