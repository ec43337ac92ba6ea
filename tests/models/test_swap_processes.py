"""Worker processes that are killed in the middle of a swap, or by the adapter itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from models.attempts import FORGET_SECONDS, MOST, Attempts, TooManyAttempts
from storage.contracts import ReplyState
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.settings import StorageSettings
from tests.models.conftest import Replies
from tests.models.following import adapter_of, told
from tests.models.line import make_request, start_worker_process
from tests.models.promote import adapters, serving

# The worker's program whose model thread stands still in the middle of an adapter's smoke test.
STANDING = """
import sys, time
from pathlib import Path
from models.smoke import Trials
begin = Trials._begin
def standing(self, trial, engine, presets):
    begin(self, trial, engine, presets)
    Path(sys.argv[sys.argv.index("--id") + 1]).touch()
    time.sleep(3600)
Trials._begin = standing
from models.app import main
sys.exit(main(sys.argv[1:]))
"""
# The worker's program that an adapter ends when it is loaded, as the system does when memory runs out.
ENDING = """
import os, signal, sys
from models.engines.echo import EchoEngine
def deadly(self, adapter_id, folder):
    os.kill(os.getpid(), signal.SIGKILL)
EchoEngine.load_adapter = deadly
from models.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def board(conversation: Conversation) -> LoopBoard:
    return LoopBoard(conversation.redis, StorageSettings())


async def test_kill_9_in_the_middle_of_a_swap_loses_and_doubles_nothing(
    conversation: Conversation, board: LoopBoard, replies: Replies, embedded: EmbeddedRedis, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    log, mark = tmp_path / "log", tmp_path / "standing"
    settings = {"STORAGE_DIR": str(tmp_path / "var"), "MODELS_CANDIDATES": "1"}
    first = await start_worker_process(embedded.url, str(mark), log, "-c", STANDING, **settings)
    for number in range(100):
        await conversation.ask(make_request(f"before{number}"))
    early = await replies(100)
    assert {adapter_of(reply) for reply in early.values()} == {None}
    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    async with asyncio.timeout(90):
        while not mark.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
    for number in range(100):
        await conversation.ask(make_request(f"during{number}"))
    await asyncio.sleep(0.3)
    first.kill()
    await first.wait()
    second = await start_worker_process(embedded.url, "second", log, **settings)
    late = await replies(100)
    assert set(late) == {f"during{number}" for number in range(100)}
    assert {adapter_of(reply) for reply in late.values()} == {adapter.adapter_id}
    assert (await told(board, lambda loaded: True, name="second")).faults == {}
    second.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(second.wait(), 10) == 0


async def test_an_adapter_that_takes_workers_with_it_is_left_alone_after_three(
    conversation: Conversation, board: LoopBoard, replies: Replies, embedded: EmbeddedRedis, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    settings = {"STORAGE_DIR": str(tmp_path / "var")}
    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    await conversation.ask(make_request("r"))
    for number in range(MOST):
        worker = await start_worker_process(embedded.url, f"w{number}", tmp_path / "log", "-c", ENDING, **settings)
        assert await asyncio.wait_for(worker.wait(), 20) == -signal.SIGKILL
    last = await start_worker_process(embedded.url, "last", tmp_path / "log", "-c", ENDING, **settings)
    reply = (await replies(1))["r"]
    assert reply.state is ReplyState.DONE and adapter_of(reply) is None
    assert "died" in (await told(board, lambda loaded: True, name="last")).faults[adapter.adapter_id]
    last.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(last.wait(), 10) == 0


def test_attempts_that_end_are_not_counted_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "cache")
    for _ in range(5):
        with attempts.one("a"):
            pass
    with pytest.raises(RuntimeError), attempts.one("a"):
        raise RuntimeError
    mark = tmp_path / "cache" / ".attempt-a"
    mark.write_text(str(MOST))
    with pytest.raises(TooManyAttempts, match="another one"), attempts.one("a"):
        pass
    assert mark.exists()
    long_ago = time.time() - FORGET_SECONDS - 1
    os.utime(mark, (long_ago, long_ago))
    with attempts.one("a"):
        assert mark.read_text() == "1"
    assert not mark.exists()
