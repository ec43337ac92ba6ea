"""The worker on a real server: every way in which a request can end."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.build import build_responder
from models.engine import Engine, Event, Row
from models.engines.echo import EchoEngine
from models.errors import EngineBroken
from models.settings import ModelsSettings
from models.worker import Worker
from storage.contracts import PROTOCOL, FailReason, ReplyState, now
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.presets import load_presets
from tests.models.conftest import Replies
from tests.models.line import make_request


@asynccontextmanager
async def working(
    conversation: Conversation, engine: Engine | None = None, name: str = "w", drain: float = 2.0
) -> AsyncIterator[Worker]:
    """A worker with the echo engine, or the given one, until the end of the block."""
    responder = build_responder(ModelsSettings(engine="echo"), load_presets(), worker=name)
    if engine is not None:
        responder.engine = responder.intake.engine = engine
    stop = asyncio.Event()
    with ThreadPoolExecutor(1) as thread:
        worker = Worker(conversation, responder, thread, worker_id=name, rows=32, rows_each=4, drain_seconds=drain)
        running = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await running


class Faulty(EchoEngine):
    """Raises in `step` while a row's message holds «яд», as a kernel that crashes on one input does."""

    def step(self) -> list[Event]:
        if any("яд" in row.prompt.turns[-1].text for row in self._rows.values()):
            raise RuntimeError("device-side assert")
        return super().step()


class Dying(EchoEngine):
    """Answers nothing any more from some step on, as a process whose GPU context is lost."""

    def __init__(self, good_steps: int = 0) -> None:
        super().__init__()
        self.left = good_steps

    def step(self) -> list[Event]:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("device-side assert")
        return super().step()


class Picky(EchoEngine):
    """Raises in `admit` for one message only."""

    def admit(self, rows: Sequence[Row]) -> None:
        if "яд" in rows[0].prompt.turns[-1].text:
            raise RuntimeError("cannot tokenize")
        super().admit(rows)


class Stuck(EchoEngine):
    """Never finishes a row."""

    def step(self) -> list[Event]:
        return []


async def test_answers_in_the_emotion_asked_for_with_full_provenance(
    conversation: Conversation, replies: Replies
) -> None:
    async with working(conversation, name="w1"):
        await conversation.ask(make_request("r1", emotion="anger", intensity=3))
        reply = (await replies(1))["r1"]
    assert reply.state is ReplyState.DONE
    assert reply.text == "[злость] эхо: Меня сегодня повысили"
    assert (reply.emotion, reply.intensity, reply.chat_id) == ("anger", 3, 7)
    assert reply.fit_ok and reply.fit is not None and reply.fit > 0.5
    assert len(reply.candidates) == 4 and reply.candidates[0].probabilities["anger"] == reply.fit
    made = reply.provenance
    assert made is not None
    assert (made.base_model, made.classifier, made.worker, made.attempts) == ("echo", "lexicon", "w1", 1)
    assert made.prompt_version and made.seed > 0 and made.timings.first_token is not None
    assert await conversation.requests.outstanding() == 0


async def test_auto_answers_the_emotion_read_in_the_message(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation):
        await conversation.ask(make_request("sad", "Мне так грустно", emotion="auto"))
        await conversation.ask(make_request("glad", "Ура, я так рад!", emotion="auto"))
        found = await replies(2)
    assert found["sad"].emotion == "sympathy"
    assert found["glad"].emotion == "joy"


async def test_a_request_past_its_deadline_expires(conversation: Conversation, replies: Replies) -> None:
    await conversation.ask(make_request("late", deadline=now() - timedelta(seconds=1)))
    async with working(conversation):
        assert (await replies(1))["late"].state is ReplyState.EXPIRED


async def test_a_deadline_passes_while_the_engine_works(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation, Stuck()):
        await conversation.ask(make_request("slow", deadline=now() + timedelta(seconds=0.3)))
        assert (await replies(1))["slow"].state is ReplyState.EXPIRED


async def test_cancelled_while_generating(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation, Stuck()):
        await conversation.ask(make_request("r"))
        await asyncio.sleep(0.2)
        await conversation.cancel("r")
        assert (await replies(1))["r"].state is ReplyState.CANCELLED


async def test_an_unknown_adapter_fails_by_name(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation):
        await conversation.ask(make_request("r", arm="no-such-adapter"))
        reply = (await replies(1))["r"]
    assert (reply.state, reply.reason) == (ReplyState.FAILED, FailReason.UNKNOWN_ADAPTER)


async def test_a_message_longer_than_the_context_is_too_long(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation):
        await conversation.ask(make_request("r", "слово " * 5000))
        assert (await replies(1))["r"].reason is FailReason.TOO_LONG


@pytest.mark.parametrize("engine", [Faulty, Picky])
async def test_poison_is_buried_and_its_neighbours_answered(
    conversation: Conversation, replies: Replies, engine: type[EchoEngine]
) -> None:
    for number in range(5):
        await conversation.ask(make_request(f"good{number}"))
    await conversation.ask(make_request("bad", "яд"))
    async with working(conversation, engine()):
        found = await replies(6)
    assert (found["bad"].state, found["bad"].reason) == (ReplyState.FAILED, FailReason.POISONED)
    assert all(found[f"good{number}"].state is ReplyState.DONE for number in range(5))
    dead: Any = await conversation.redis.xrange(conversation.keys.dead("requests"))
    assert len(dead) == 1 and json.loads(dead[0][1]["data"])["request_id"] == "bad"
    assert await conversation.requests.outstanding() == 0


@pytest.mark.parametrize("count", [1, 5])
async def test_a_broken_engine_ends_its_worker_and_blames_nobody(
    conversation: Conversation, replies: Replies, count: int
) -> None:
    with pytest.raises(EngineBroken):
        async with working(conversation, Dying(good_steps=1), name="dying") as worker:
            await conversation.ask(make_request("before"))
            assert (await replies(1))["before"].state is ReplyState.DONE
            for number in range(count):
                await conversation.ask(make_request(f"r{number}"))
            async with asyncio.timeout(5):
                await worker.finished.wait()
    assert await conversation.replies.outstanding() == 0
    asked = time.monotonic()
    async with working(conversation, name="healthy"):
        found = await replies(count)
    assert all(reply.state is ReplyState.DONE for reply in found.values())
    assert time.monotonic() - asked < 5
    assert await conversation.redis.xlen(conversation.keys.dead("requests")) == 0


async def test_an_error_of_the_worker_itself_ends_it_at_once(conversation: Conversation, replies: Replies) -> None:
    def faulty(*_: object) -> list[Event]:
        raise KeyError("a mistake of ours")

    with pytest.raises(KeyError):
        async with working(conversation) as worker:
            worker.responder.turn = faulty  # type: ignore[method-assign,assignment]
            await conversation.ask(make_request("r"))
            async with asyncio.timeout(5):
                await worker.finished.wait()
    async with working(conversation, name="next"):
        assert (await replies(1))["r"].state is ReplyState.DONE


async def test_undecodable_payloads_are_buried_and_answered_where_the_id_is_readable(
    conversation: Conversation, replies: Replies
) -> None:
    stream = conversation.requests.stream
    await conversation.redis.xadd(stream, {"data": "{broken"})
    await conversation.redis.xadd(stream, {"data": json.dumps({"request_id": "half", "chat_id": 7})})
    async with working(conversation):
        reply = (await replies(1))["half"]
        assert (reply.reason, reply.chat_id) == (FailReason.POISONED, 7)
        async with asyncio.timeout(10):
            while await conversation.requests.outstanding():  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(0.02)
    assert await conversation.redis.xlen(conversation.keys.dead("requests")) == 2


async def test_a_newer_protocol_is_left_for_others(conversation: Conversation, replies: Replies) -> None:
    payload = json.loads(make_request("new").model_dump_json()) | {"protocol": PROTOCOL + 1, "unheard_of": 1}
    await conversation.redis.xadd(conversation.requests.stream, {"data": json.dumps(payload)})
    async with working(conversation):
        await conversation.ask(make_request("old"))
        assert set(await replies(1)) == {"old"}
    assert await conversation.requests.outstanding() == 1
    assert await conversation.redis.xlen(conversation.keys.dead("requests")) == 0


async def test_two_workers_answer_each_request_once(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation, name="a"), working(conversation, name="b"):
        for number in range(200):
            await conversation.ask(make_request(f"r{number}"))
        found = await replies(200)
    workers = {reply.provenance.worker for reply in found.values() if reply.provenance}
    assert workers == {"a", "b"}
    assert await conversation.replies.outstanding() == 0


async def test_a_lease_is_renewed_while_the_engine_is_slow(conversation: Conversation, replies: Replies) -> None:
    class Slow(EchoEngine):
        steps = 0

        def step(self) -> list[Event]:
            Slow.steps += 1
            return super().step() if Slow.steps > 200 else []

    async with working(conversation, Slow(), name="slow"), working(conversation, name="quick"):
        for number in range(20):
            await conversation.ask(make_request(f"r{number}"))
        found = await replies(20)
    assert len(found) == 20


async def test_a_redis_server_killed_midway_loses_and_doubles_nothing(
    conversation: Conversation, replies: Replies, embedded: EmbeddedRedis
) -> None:
    class Slow(EchoEngine):
        def step(self) -> list[Event]:
            time.sleep(0.05)
            return super().step()

    async with working(conversation, Slow()):
        for number in range(100):
            await conversation.ask(make_request(f"r{number}"))
        early = await replies(20)
        await embedded.kill()
        await asyncio.sleep(0.3)
        await embedded.start()
        late = await replies(100 - len(early))
    assert not early.keys() & late.keys()


async def test_a_suspect_is_not_starved_by_steady_traffic(conversation: Conversation, replies: Replies) -> None:
    await conversation.ask(make_request("suspect"))
    for _ in range(2):
        await conversation.requests.claim("dead-worker", count=1, block=0.1)
        entries: Any = await conversation.redis.xrange(conversation.requests.stream)
        await conversation.redis.xclaim(
            conversation.requests.stream, "workers", "dead-worker", 0, [entries[0][0]], idle=10_000, retrycount=2
        )
    async with working(conversation):
        asking = asyncio.create_task(steady(conversation, 120))
        found = await replies(121, patience=30)
        await asking
    order = list(found)
    assert order.index("suspect") < 80


async def steady(conversation: Conversation, count: int) -> None:
    for number in range(count):
        await conversation.ask(make_request(f"r{number}"))
        await asyncio.sleep(0.01)


async def test_metrics_are_served_over_http(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation) as worker:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server, thread = worker.responder.metrics.listen(f"127.0.0.1:{port}")
        await conversation.ask(make_request("r"))
        await replies(1)
        page = await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{port}/metrics")
        server.shutdown()
        server.server_close()
        thread.join()
    assert 'otklik_worker_fit_total{hit="yes",preset="joy"} 1.0' in page.text


async def test_stopping_gives_unfinished_requests_back_at_once(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation, Stuck(), drain=0.1):
        await conversation.ask(make_request("r"))
        await asyncio.sleep(0.2)
    pending = await conversation.redis.xpending_range(
        conversation.requests.stream, conversation.requests.group, min="-", max="+", count=10
    )
    assert pending[0]["times_delivered"] == 0
    async with working(conversation, name="next"):
        assert (await replies(1))["r"].state is ReplyState.DONE


async def test_a_worker_without_classifier_answers_unchecked(conversation: Conversation, replies: Replies) -> None:
    async with working(conversation) as worker:
        worker.responder.judge.classifier = None
        await conversation.ask(make_request("r"))
        reply = (await replies(1))["r"]
    assert (reply.state, reply.fit, reply.fit_ok) == (ReplyState.DONE, None, None)
