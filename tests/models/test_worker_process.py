"""Worker processes that are killed, that poison kills, and that refuse to start."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from models.app import main
from storage.contracts import FailReason, ReplyState
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from tests.models.conftest import Replies
from tests.models.line import make_request, start_worker_process

# The worker's program with an engine whose steps take a while, or that dies with its process on one message.
SLOW = """
import sys, time
from models.engines.echo import EchoEngine
step = EchoEngine.step
def slow(self):
    time.sleep(0.05)
    return step(self)
EchoEngine.step = slow
from models.app import main
sys.exit(main(sys.argv[1:]))
"""
DEADLY = """
import os, signal, sys
from models.engines.echo import EchoEngine
step = EchoEngine.step
def deadly(self):
    if any("яд" in row.prompt.turns[-1].text for row in self._rows.values()):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
EchoEngine.step = deadly
from models.app import main
sys.exit(main(sys.argv[1:]))
"""


HANGING = """
import sys, time
from models.engines.echo import EchoEngine
step = EchoEngine.step
def hanging(self):
    if any("яд" in row.prompt.turns[-1].text for row in self._rows.values()):
        time.sleep(3600)
    return step(self)
EchoEngine.step = hanging
from models.app import main
sys.exit(main(sys.argv[1:]))
"""


BREAKING = """
import os, sys
from models.engines.echo import EchoEngine
step, left = EchoEngine.step, [int(os.environ["GOOD_STEPS"])]
def breaking(self):
    left[0] -= 1
    if left[0] < 0:
        raise RuntimeError("device-side assert")
    return step(self)
EchoEngine.step = breaking
from models.app import main
sys.exit(main(sys.argv[1:]))
"""


LOADING = """
import os, sys, time
from models import app
def load(*_, **__):
    with open(os.environ["LOADING"], "w") as told:
        print("begun", file=told, flush=True)
        time.sleep(3600)
app.build_responder = load
sys.exit(app.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_is_still_loading_stops_at_once(
    embedded: EmbeddedRedis, tmp_path: Path, number: signal.Signals
) -> None:
    os.mkfifo(tmp_path / "told")
    told = os.open(tmp_path / "told", os.O_RDWR | os.O_NONBLOCK)  # for both, so that nobody waits for the other end
    begun = asyncio.Event()
    asyncio.get_running_loop().add_reader(told, begun.set)
    loading = await start_worker_process(
        embedded.url, "w", tmp_path / "log", "-c", LOADING, LOADING=str(tmp_path / "told")
    )
    try:
        await asyncio.wait_for(begun.wait(), 30)
        loading.send_signal(number)
        assert await asyncio.wait_for(loading.wait(), 5) == 0
    finally:
        if loading.returncode is None:
            loading.kill()
            await loading.wait()
        asyncio.get_running_loop().remove_reader(told)
        os.close(told)


async def test_a_worker_with_a_broken_engine_ends_before_it_takes_or_blames_a_request(
    conversation: Conversation, replies: Replies, embedded: EmbeddedRedis, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    await conversation.ask(make_request("r1"))
    never = await start_worker_process(embedded.url, "never", log, "-c", BREAKING, GOOD_STEPS="0")
    assert await asyncio.wait_for(never.wait(), 15) == 1
    assert await conversation.redis.xinfo_consumers(conversation.requests.stream, conversation.requests.group) == []
    at_first = await start_worker_process(embedded.url, "at-first", log, "-c", BREAKING, GOOD_STEPS="3")
    assert (await replies(1))["r1"].state is ReplyState.DONE
    await conversation.ask(make_request("r2"))
    assert await asyncio.wait_for(at_first.wait(), 15) == 1
    assert "Traceback" not in log.read_text() and "otklik worker:" in log.read_text()
    assert await conversation.requests.outstanding() == 1
    assert await conversation.replies.outstanding() == 0


async def test_a_worker_that_hangs_ends_itself_and_another_takes_over(
    conversation: Conversation, replies: Replies, embedded: EmbeddedRedis, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    hanging = await start_worker_process(embedded.url, "hanging", log, "-c", HANGING, MODELS_STUCK_SECONDS="1.5")
    await conversation.ask(make_request("fine"))
    assert (await replies(1))["fine"].state is ReplyState.DONE
    await conversation.ask(make_request("r", "яд"))
    assert await asyncio.wait_for(hanging.wait(), 15) == 70
    assert "hangs" in log.read_text()
    other = await start_worker_process(embedded.url, "other", log)
    assert (await replies(1))["r"].state is ReplyState.DONE
    other.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(other.wait(), 10) == 0


async def test_kill_mid_batch_loses_and_doubles_nothing(
    conversation: Conversation, replies: Replies, embedded: EmbeddedRedis, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    first = await start_worker_process(embedded.url, "first", log, "-c", SLOW)
    second = await start_worker_process(embedded.url, "second", log, "-c", SLOW)
    for number in range(200):
        await conversation.ask(make_request(f"r{number}"))
    early = await replies(40)
    first.kill()
    late = await replies(200 - len(early), patience=30)
    assert not early.keys() & late.keys()
    assert all(reply.state is ReplyState.DONE for reply in (early | late).values())
    assert any(reply.provenance and reply.provenance.worker == "first" for reply in early.values())
    second.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(second.wait(), 10) == 0
    await first.wait()


async def test_a_request_that_kills_its_worker_thrice_is_buried_and_others_live(
    conversation: Conversation, replies: Replies, embedded: EmbeddedRedis, tmp_path: Path
) -> None:
    for number in range(6):
        await conversation.ask(make_request(f"good{number}"))
    await conversation.ask(make_request("bad", "яд"))
    deaths = 0

    async def supervise() -> None:
        nonlocal deaths
        while True:
            worker = await start_worker_process(embedded.url, f"w{deaths}", tmp_path / "log", "-c", DEADLY)
            try:
                await worker.wait()
            finally:
                if worker.returncode is None:
                    worker.kill()
                    await worker.wait()
            deaths += 1

    supervisor = asyncio.create_task(supervise())
    found = await replies(7, patience=40)
    supervisor.cancel()
    await asyncio.gather(supervisor, return_exceptions=True)
    assert deaths == 3
    assert found.pop("bad").reason is FailReason.POISONED
    assert all(reply.state is ReplyState.DONE for reply in found.values())


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"ENGINE": "echo", "CLASSIFIER": "/no/such/folder"}, ["MODELS_CLASSIFIER"]),
        ({"BASE": "/no/such/folder", "CLASSIFIER": "none"}, ["MODELS_BASE", "MODELS_ENGINE=echo"]),
        ({"ENGINE": "echo", "ADAPTERS": "/no/such/folder"}, ["MODELS_ADAPTERS"]),
    ],
)
def test_what_cannot_be_loaded_stops_the_start_with_advice(
    settings: dict[str, str],
    advice: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STORAGE_REDIS_URL", "unix:///no/such/socket")
    for name, value in settings.items():
        monkeypatch.setenv(f"MODELS_{name}", value)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert all(part in said for part in advice) and "Traceback" not in said


def test_without_a_redis_url_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELS_ENGINE", "echo")
    assert main([]) == 2
    assert "STORAGE_REDIS_URL" in capsys.readouterr().err
