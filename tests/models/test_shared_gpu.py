"""A worker that leaves the GPU to training and comes back, on the real line with the starter."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.build import build_responder, load_models
from models.classifier import Classifier
from models.engine import Engine
from models.errors import EngineBroken
from models.responder import Responder
from models.settings import ModelsSettings
from storage.contracts import ReplyState, now
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.presets import load_presets
from storage.settings import StorageSettings
from tests.models.conftest import Replies
from tests.models.following import SMALL, adapter_of, answer, following, told
from tests.models.line import make_request
from tests.models.promote import adapters, serving

SETTINGS = ModelsSettings(**SMALL)
ECHO = ModelsSettings(engine="echo")


def load() -> tuple[Engine, Classifier | None]:
    return load_models(SETTINGS, load_presets())


def load_echo() -> tuple[Engine, Classifier | None]:
    return load_models(ECHO, load_presets())


def echo() -> Responder:
    return build_responder(ECHO, load_presets())


@pytest.fixture
def board(conversation: Conversation) -> LoopBoard:
    return LoopBoard(conversation.redis, StorageSettings())


class Clock:
    """The worker's clock, which can be put forward: a busy machine is slow, but a minute is over at once."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead

    def pass_by(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("models.shared_gpu.now", found)
    return found


async def until(condition: Callable[[], Any], patience: float = 60.0) -> None:
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 - the board is another process
            await asyncio.sleep(0.02)


async def away(board: LoopBoard) -> bool:
    return await board.sharing() == {"w": True}


async def back(board: LoopBoard) -> bool:
    return await board.sharing() == {"w": False}


async def test_it_finishes_what_runs_unloads_everything_and_comes_back_as_it_was(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    (promoted,) = adapters(tmp_path, 1)
    await board.publish(serving(1, [promoted], shared=promoted.adapter_id))
    responder = build_responder(SETTINGS, load_presets())
    model = weakref.ref(responder.engine.base.model)  # type: ignore[attr-defined]
    async with following(conversation, board, responder, tmp_path / "cache", load=load):
        await until(lambda: back(board))
        for number in range(8):
            await conversation.ask(make_request(f"early{number}"))
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        assert model() is None
        early = await replies(1)
        waiting = await conversation.requests.outstanding()
        for number in range(4):
            await conversation.ask(make_request(f"late{number}"))
        await asyncio.sleep(0.3)
        assert await conversation.requests.outstanding() == waiting + 4
        assert (await told(board, lambda loaded: not loaded.adapters)).faults == {}
        await board.end_drain()
        found = early | await replies(12 - len(early))
        assert {adapter_of(reply) for reply in found.values()} == {promoted.adapter_id}
        assert {f"late{number}" for number in range(4)} <= set(found)
        assert await back(board)


async def test_who_asked_before_is_answered_before_it_leaves(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    """They were told nothing and got no more time: their deadlines would pass while it is away."""
    await conversation.ensure()
    for number in range(40):
        await conversation.ask(make_request(f"early{number}"))
    await board.ask_drain(now() + timedelta(seconds=60))
    async with following(conversation, board, echo(), tmp_path, load=load_echo):
        await until(lambda: away(board))
        assert await conversation.requests.outstanding() == 0
        assert len(await replies(40)) == 40
        await board.end_drain()


async def test_what_cannot_be_answered_soon_does_not_hold_training_up(
    conversation: Conversation, board: LoopBoard, tmp_path: Path
) -> None:
    await conversation.ensure()
    await conversation.ask(make_request("held"))
    claimed, _ = await conversation.requests.claim("a worker that is slow", count=1, block=0.1)
    assert len(claimed) == 1
    async with following(conversation, board, echo(), tmp_path, load=load_echo) as worker:
        assert worker.gpu is not None
        worker.gpu.backlog = 0.2
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        await board.end_drain()


async def test_it_comes_back_when_the_time_is_over_though_nobody_says_so(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path, clock: Clock
) -> None:
    async with following(conversation, board, echo(), tmp_path, load=load_echo):
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        clock.pass_by(61)
        assert (await answer(conversation, replies, "r")).state is ReplyState.DONE
        assert await back(board)


async def test_a_drain_may_be_prolonged(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path, clock: Clock
) -> None:
    async with following(conversation, board, echo(), tmp_path, load=load_echo):
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        await board.ask_drain(now() + timedelta(seconds=600))
        await asyncio.sleep(0.2)  # the next look
        clock.pass_by(61)
        await asyncio.sleep(0.2)
        assert await away(board)
        await board.end_drain()
        assert (await answer(conversation, replies, "r")).state is ReplyState.DONE


async def test_memory_that_is_not_free_yet_is_waited_for(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    refusals = iter(range(3))

    def reluctant() -> tuple[Engine, Classifier | None]:
        if next(refusals, None) is not None:
            raise MemoryError("out of memory")
        return load_echo()

    async with following(conversation, board, echo(), tmp_path, load=reluctant):
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        await board.end_drain()
        assert (await answer(conversation, replies, "r")).state is ReplyState.DONE


async def test_models_that_never_come_back_end_the_worker_and_its_requests_are_others(
    conversation: Conversation,
    board: LoopBoard,
    replies: Replies,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.shared_gpu.TRIES", 2)

    def never() -> tuple[Engine, Classifier | None]:
        raise MemoryError("out of memory")

    with pytest.raises(EngineBroken, match="cannot be loaded again"):
        async with following(conversation, board, echo(), tmp_path, load=never) as worker:
            await board.ask_drain(now() + timedelta(seconds=60))
            await until(lambda: away(board))
            await conversation.ask(make_request("r"))
            await board.end_drain()
            async with asyncio.timeout(60):
                await worker.finished.wait()
    async with following(conversation, board, echo(), tmp_path, name="next"):
        assert (await replies(1))["r"].state is ReplyState.DONE


async def test_a_redis_server_that_dies_meanwhile_does_not_keep_it_away(
    conversation: Conversation,
    board: LoopBoard,
    replies: Replies,
    embedded: EmbeddedRedis,
    tmp_path: Path,
    clock: Clock,
) -> None:
    async with following(conversation, board, echo(), tmp_path, load=load_echo) as worker:
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        await embedded.kill()
        clock.pass_by(61)
        async with asyncio.timeout(60):
            while worker.gpu is not None and worker.gpu.away:  # noqa: ASYNC110 - nobody signals it
                await asyncio.sleep(0.02)
        await embedded.start()
        assert (await answer(conversation, replies, "r")).state is ReplyState.DONE


async def test_a_worker_struck_off_while_its_heartbeat_was_late_is_seen_to_be_away_again(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    async with following(conversation, board, echo(), tmp_path, load=load_echo):
        await board.ask_drain(now() + timedelta(seconds=60))
        await until(lambda: away(board))
        await board.redis.zrem(board.keys.workers(), "w")
        assert await board.sharing() == {}
        await board.redis.zadd(board.keys.workers(), {"w": time.time() + 60})
        await until(lambda: away(board))
        await board.end_drain()
        assert (await answer(conversation, replies, "r")).state is ReplyState.DONE


async def test_a_worker_that_does_not_share_its_gpu_goes_on(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    async with following(conversation, board, echo(), tmp_path):
        await board.ask_drain(now() + timedelta(seconds=60))
        assert (await answer(conversation, replies, "r")).state is ReplyState.DONE
        assert await board.sharing() == {}
