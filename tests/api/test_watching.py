"""Many readers of one refit: all are told, whoever has waited enough hears a sign of life, nothing is left of them."""

from __future__ import annotations

import asyncio

from bot.api.jobs import over, text_of
from bot.api.watching import Watch
from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.loop_tables import JobRow
from storage.settings import StorageSettings


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
