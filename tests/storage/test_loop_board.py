"""The board of the loop on the real server, and the slots' and jobs' rows behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from storage.contracts import JobState, Loaded, ServedSlot, Serving, TrainJob, now
from storage.conversation import Conversation
from storage.database import Database, upgrade
from storage.loop_board import LoopBoard
from storage.loop_tables import AdapterRow
from storage.settings import StorageSettings


@pytest.fixture
def board(redis: Redis, storage_settings: StorageSettings) -> LoopBoard:
    return LoopBoard(redis, storage_settings)


@pytest_asyncio.fixture
async def database(storage_settings: StorageSettings) -> AsyncIterator[Database]:
    await upgrade(storage_settings.database())
    database = Database(storage_settings.database())
    yield database
    await database.close()


async def test_a_slower_writer_never_overwrites_a_newer_revision(board: LoopBoard) -> None:
    newer = Serving(revision=3, slots=(ServedSlot(name="shared", active="b"),))
    assert await board.publish(newer)
    assert not await board.publish(Serving(revision=2, slots=(ServedSlot(name="shared", active="a"),)))
    assert await board.serving() == newer


async def test_workers_that_are_gone_leave_the_board(
    board: LoopBoard, redis: Redis, storage_settings: StorageSettings
) -> None:
    line = Conversation(redis, storage_settings)
    await line.beat("alive", seconds=5)
    for worker in ("alive", "gone"):
        await board.report(Loaded(worker=worker, revision=1))
    assert set(await board.loaded()) == {"alive"}
    assert await redis.hlen(board.keys.loaded()) == 1


async def test_a_picture_and_a_drain_come_back_as_they_were_put(board: LoopBoard) -> None:
    await board.put_picture("j", b"\x89PNG\x00\xff")
    until = now() + timedelta(seconds=30)
    await board.ask_drain(until)
    assert await board.picture("j") == b"\x89PNG\x00\xff"
    assert await board.draining() == until
    await board.end_drain()
    assert await board.draining() is None


async def test_a_slot_is_one_pointer_with_a_history(database: Database) -> None:
    async with database.unit() as unit:
        await unit.slots.point("shared", "a", action="promote", by=1)
        await unit.slots.begin_canary("shared", "b", 0.1, job="j", by=None)
        await unit.commit()
    async with database.unit() as unit:
        slot = await unit.slots.point("shared", "b", action="promote", by=None, reason="it won")
        await unit.commit()
        assert (slot.active, slot.canary, slot.share, slot.revision) == ("b", None, 0.0, 3)
    async with database.view() as unit:
        changes = [(one.action, one.before, one.after) for one in await unit.slots.history("shared")]
        served = await unit.slots.serving("joy")
    assert changes == [("promote", "a", "b"), ("canary", None, "b"), ("promote", None, "a")]
    assert served is not None and served.name == "shared"


async def test_a_job_is_held_by_one_trainer_and_taken_up_when_its_lease_ends(database: Database) -> None:
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="j", method="auto"), trigger="admin")
        await unit.commit()

    async def claim(owner: str) -> str | None:
        async with database.unit() as unit:
            row = await unit.jobs.claim(owner, 0.2)
            await unit.commit()
            return row.owner if row else None

    held = await asyncio.gather(claim("a"), claim("b"))
    assert sum(one is not None for one in held) == 1
    await asyncio.sleep(0.25)
    assert await claim("c") == "c"


async def test_a_job_that_has_ended_stays_ended(database: Database) -> None:
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="j", method="kto"), trigger="command")
        assert await unit.jobs.ask_cancel("j")
        with pytest.raises(ValueError, match="has ended"):
            await unit.jobs.move("j", JobState.TRAINING)
        assert not await unit.jobs.ask_cancel("j")
        await unit.commit()


async def test_a_forgotten_person_taints_what_learned_from_them_and_what_was_tuned_on_from_it(
    database: Database,
) -> None:
    def adapter(name: str, parent: str | None = None) -> AdapterRow:
        return AdapterRow(
            adapter_id=name, kind="lora", sha256=name, location="", base="starter", method="kto", parent=parent
        )

    async with database.unit() as unit:
        await unit.adapters.add(adapter("a"), people=[7, 8])
        await unit.adapters.add(adapter("b", parent="a"), people=[8])
        await unit.adapters.add(adapter("c"), people=[8])
        assert await unit.adapters.taint(7) == ["a", "b"]
        await unit.commit()
    async with database.view() as unit:
        tainted = {row.adapter_id for row in await unit.adapters.all() if row.tainted_at}
        assert tainted == {"a", "b"}
        assert await unit.adapters.learned_from(7) == []
