"""Workers on the GPU of a refit are asked to make room, and are let back whatever happens."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage.contracts import now
from storage.keys import Keys
from storage.loop_board import LoopBoard
from storage.settings import StorageSettings
from training.cycle import draining
from training.cycle.draining import Drain
from training.cycle.news import News
from training.settings import TrainingSettings


def drain(board: LoopBoard, **given: object) -> Drain:
    return Drain(News(board), TrainingSettings.model_validate({"schedule": None, "drain": True, **given}))


@pytest.fixture
def board(redis: Redis, storage_settings: StorageSettings) -> LoopBoard:
    return LoopBoard(redis, storage_settings)


async def test_room_is_asked_for_and_given_back_after_a_fault_too(board: LoopBoard) -> None:
    with pytest.raises(ZeroDivisionError):
        async with drain(board):
            until = await board.draining()
            assert until is not None and until > now() + timedelta(minutes=5)
            raise ZeroDivisionError
    assert await board.draining() is None


async def test_nobody_is_asked_where_workers_have_a_gpu_of_their_own(board: LoopBoard) -> None:
    async with drain(board, drain=False):
        assert await board.draining() is None


async def test_people_are_told_how_long_it_will_really_take(board: LoopBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "RENEW_SECONDS", 0.0)
    async with drain(board) as asked:
        await asked.renew(200.0)
        until = await board.draining()
        assert until is not None and timedelta(seconds=200) < until - now() < timedelta(seconds=260)
        await asked.renew(36_000.0)
        until = await board.draining()
        assert until is not None and until - now() <= timedelta(minutes=10)


async def test_a_request_whose_trainer_died_runs_out_by_itself(board: LoopBoard) -> None:
    asked = drain(board, drain_minutes=1 / 60)
    await asked.__aenter__()
    async with asyncio.timeout(30):
        while await board.draining() is not None:  # noqa: ASYNC110 - the server ends it
            await asyncio.sleep(0.05)


async def test_training_waits_until_the_workers_have_left(
    board: LoopBoard, redis: Redis, storage_settings: StorageSettings
) -> None:
    keys = Keys(storage_settings.namespace)
    await redis.zadd(keys.workers(), {"worker": time.time() + 60})
    await board.share("worker", away=False)

    async def leave() -> None:
        await asyncio.sleep(0.7)
        await board.share("worker", away=True)

    leaving = asyncio.create_task(leave())
    began = time.monotonic()
    async with drain(board):
        assert time.monotonic() - began >= 0.7
    await leaving
