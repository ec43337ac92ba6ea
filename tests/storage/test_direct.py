"""Asking with a caller who waits, on the real server: each gets the own answer, and the bots none of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage import direct
from storage.contracts import ChatReply, ChatRequest, ReplyState, Turn, now, request_id
from storage.conversation import Conversation
from storage.direct import DirectLine, NoAnswer
from storage.queue import Spoiled
from storage.settings import StorageSettings


def ask(number: int, seconds: float = 30.0) -> ChatRequest:
    return ChatRequest(
        request_id=request_id(1, (number,)),
        chat_id=1,
        user_id=1,
        turns=(Turn(role="user", text=f"вопрос {number}"),),
        emotion="joy",
        deadline=now() + timedelta(seconds=seconds),
    )


def answer(request: ChatRequest) -> ChatReply:
    return ChatReply(
        request_id=request.request_id,
        chat_id=request.chat_id,
        state=ReplyState.DONE,
        text=f"ответ на {request.turns[-1].text}",
        emotion=request.emotion,
    )


@pytest.fixture
def line(redis: Redis, storage_settings: StorageSettings) -> Conversation:
    return Conversation(redis, storage_settings)


async def answer_all(line: Conversation, count: int) -> None:
    while count:
        deliveries, _ = await line.requests.claim("worker", count=10, block=0.2)
        for delivery in deliveries:
            await line.complete(delivery, answer(delivery.message))
            count -= 1


async def test_callers_of_two_processes_get_their_own_answers(line: Conversation) -> None:
    await line.ensure()
    async with DirectLine(line).running() as one, DirectLine(line).running() as other:
        worker = asyncio.create_task(answer_all(line, 40))
        replies = await asyncio.gather(*((one if number % 2 else other).ask(ask(number)) for number in range(40)))
        await worker
        assert one.waiting == other.waiting == 0
    assert [reply.text for reply in replies] == [f"ответ на вопрос {number}" for number in range(40)]
    assert await line.replies.outstanding() == 0


async def test_a_request_that_nobody_answers_ends_at_its_deadline(
    line: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "GRACE", 0.1)
    async with DirectLine(line).running() as here:
        with pytest.raises(NoAnswer):
            await here.ask(ask(1, seconds=0.1))
        assert here.waiting == 0
    assert await line.cancelled([ask(1).request_id]) == {ask(1).request_id}


async def test_a_caller_who_goes_away_takes_the_request_back(line: Conversation) -> None:
    async with DirectLine(line).running() as here:
        caller = asyncio.create_task(here.ask(ask(1)))
        await line.ensure()
        deliveries, _ = await line.requests.claim("worker", block=5)
        assert len(deliveries) == 1
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert await line.cancelled([ask(1).request_id]) == {ask(1).request_id}


async def test_one_who_goes_away_while_it_is_queued_takes_it_back_too(
    line: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, queued = line.ask, asyncio.Event()

    async def slowly(request: ChatRequest) -> None:
        await queue(request)
        queued.set()
        await asyncio.sleep(30)  # the server's word comes late

    monkeypatch.setattr(line, "ask", slowly)
    async with DirectLine(line).running() as here:
        caller = asyncio.create_task(here.ask(ask(1)))
        await queued.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert await line.cancelled([ask(1).request_id]) == {ask(1).request_id}


async def test_a_refused_request_is_told_to_its_caller(line: Conversation) -> None:
    await line.ensure()
    async with DirectLine(line).running() as here:
        caller = asyncio.create_task(here.ask(ask(1)))
        deliveries: list[object] = []
        while not deliveries:
            found, _ = await line.requests.claim("worker", block=0.2)
            deliveries += found
            for one in found:
                payload = one.message.model_dump_json()
                failed = answer(one.message).model_copy(update={"state": ReplyState.FAILED, "text": ""})
                await line.refuse(Spoiled(one.entry, payload, one.deliveries, "cannot be answered"), failed)
        assert (await caller).state is ReplyState.FAILED


async def test_replies_that_nobody_reads_do_not_stay_for_ever(line: Conversation, redis: Redis) -> None:
    await line.ensure()
    await line.ask(ask(1).model_copy(update={"route": "gone"}))
    await answer_all(line, 1)
    assert 0 < await redis.ttl(line.keys.replies("gone")) <= 3600
