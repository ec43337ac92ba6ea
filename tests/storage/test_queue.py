"""The queue's contract, on the real server: order, bounds, leases, dead letters, newer protocols, kill -9."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from storage.contracts import ChatReply, ChatRequest, FailReason, ReplyState, Turn, now, request_id
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.queue import QueueFull, StreamQueue
from storage.settings import StorageSettings


def ask(number: int, chat: int = 1) -> ChatRequest:
    return ChatRequest(
        request_id=request_id(chat, (number,)),
        chat_id=chat,
        user_id=7,
        turns=(Turn(role="user", text=f"сообщение {number}"),),
        emotion="joy",
        deadline=now() + timedelta(minutes=1),
    )


def answer(request: ChatRequest, text: str = "ответ") -> ChatReply:
    return ChatReply(
        request_id=request.request_id, chat_id=request.chat_id, state=ReplyState.DONE, text=text, emotion="joy"
    )


@pytest.fixture
def line(redis: Redis, storage_settings: StorageSettings) -> Conversation:
    return Conversation(redis, storage_settings)


async def claim_all(queue: StreamQueue[ChatRequest], consumer: str = "a", count: int = 100) -> list[int]:
    got, _ = await queue.claim(consumer, count=count, block=0.05)
    return [int(delivery.message.turns[0].text.split()[-1]) for delivery in got]


async def test_a_message_pushed_before_any_consumer_exists_is_delivered(line: Conversation) -> None:
    await line.ask(ask(1))
    await line.ensure()
    assert await claim_all(line.requests) == [1]


async def test_messages_come_in_order_and_once(line: Conversation) -> None:
    await line.ensure()
    for number in range(20):
        await line.ask(ask(number))
    first = await claim_all(line.requests, "a", 10)
    second = await claim_all(line.requests, "b", 100)
    assert first + second == list(range(20))


async def test_the_same_request_is_queued_once_even_after_it_was_answered(line: Conversation) -> None:
    await line.ensure()
    first = await line.ask(ask(1))
    again = await line.ask(ask(1))
    assert (first.fresh, again.fresh, again.entry) == (True, False, first.entry)
    (delivery,), _ = await line.requests.claim("a")
    await line.complete(delivery, answer(delivery.message))
    assert not (await line.ask(ask(1))).fresh
    assert await line.requests.outstanding() == 0


async def test_a_full_queue_refuses_and_keeps_what_it_has(redis: Redis, storage_settings: StorageSettings) -> None:
    line = Conversation(redis, storage_settings.model_copy(update={"queue_limit": 3}))
    await line.ensure()
    results = await asyncio.gather(*(line.ask(ask(n)) for n in range(8)), return_exceptions=True)
    assert sum(isinstance(r, QueueFull) for r in results) == 5
    assert await line.requests.outstanding() == 3
    (delivery, *_), _ = await line.requests.claim("a")
    await line.complete(delivery, answer(delivery.message))
    assert (await line.ask(ask(100))).fresh


async def test_a_silent_owner_loses_its_message_on_an_idle_queue(line: Conversation) -> None:
    await line.ensure()
    await line.ask(ask(1))
    assert await claim_all(line.requests, "dead") == [1]
    assert await claim_all(line.requests, "alive") == []
    await asyncio.sleep(0.35)
    (delivery,), _ = await line.requests.claim("alive", block=0.05)
    assert delivery.deliveries == 2


async def test_an_owner_that_renews_keeps_its_message(line: Conversation) -> None:
    await line.ensure()
    await line.ask(ask(1))
    (delivery,), _ = await line.requests.claim("busy")
    for _ in range(4):
        await asyncio.sleep(0.15)
        await line.requests.renew("busy", [delivery.entry])
        assert await claim_all(line.requests, "other") == []


async def test_two_owners_of_one_request_give_one_reply(line: Conversation) -> None:
    await line.ensure()
    await line.ask(ask(1))
    (slow,), _ = await line.requests.claim("slow")
    await asyncio.sleep(0.35)
    (fast,), _ = await line.requests.claim("fast", block=0.05)
    assert await line.complete(fast, answer(fast.message, "первый"))
    assert not await line.complete(slow, answer(slow.message, "второй"))
    replies, _ = await line.replies.claim("bot", count=10, block=0.05)
    assert [reply.message.text for reply in replies] == ["первый"]


async def test_a_message_that_kills_its_owners_is_buried_and_the_person_is_told(line: Conversation) -> None:
    await line.ensure()
    await line.ask(ask(1))
    for owner in ("a", "b", "c"):
        deliveries, spoiled = await line.requests.claim(owner, block=0.05)
        assert (len(deliveries), len(spoiled)) == (1, 0)
        await asyncio.sleep(0.35)
    deliveries, (poison,) = await line.requests.claim("d", block=0.05)
    assert not deliveries
    failed = ChatReply(
        request_id=ask(1).request_id,
        chat_id=1,
        state=ReplyState.FAILED,
        reason=FailReason.POISONED,
        emotion="joy",
    )
    assert await line.refuse(poison, failed)
    assert not await line.refuse(poison, failed)
    assert await line.requests.outstanding() == 0
    found: Any = await line.redis.xrange(line.keys.dead("requests"))
    (dead,) = found
    assert ask(1).request_id in str(dead)
    assert "сообщение" not in str(json.loads(dead[1]["data"])), "dead letters outlive /forget"
    replies, _ = await line.replies.claim("bot", count=10, block=0.05)
    assert [reply.message.reason for reply in replies] == [FailReason.POISONED]


async def test_an_undecodable_entry_is_spoiled_at_once(line: Conversation) -> None:
    await line.ensure()
    payloads = (
        "нет",
        "[]",
        json.dumps({"protocol": 1, "request_id": "x"}),
        '{"protocol": null}',
        '{"protocol": 1e999}',
    )
    for payload in payloads:
        await line.redis.xadd(line.requests.stream, {"data": payload})
    deliveries, spoiled = await line.requests.claim("a", count=10)
    assert not deliveries
    assert [item.reason for item in spoiled] == ["undecodable"] * 5


async def test_a_newer_protocol_is_left_for_newer_processes(line: Conversation) -> None:
    await line.ensure()
    newer = ask(1).model_dump(mode="json") | {"protocol": 99, "brand_new_field": True}
    await line.redis.xadd(line.requests.stream, {"data": json.dumps(newer)})
    for _ in range(6):
        deliveries, spoiled = await line.requests.claim("old", block=0.05)
        assert not deliveries
        assert not spoiled
        await asyncio.sleep(0.16)
    assert await line.requests.outstanding() == 1


async def test_place_is_derived_and_ends_with_the_reply(line: Conversation) -> None:
    await line.ensure()
    for number in range(3):
        await line.ask(ask(number))
    assert [await line.place(ask(n).request_id) for n in range(4)] == [0, 1, 2, None]
    (first,), _ = await line.requests.claim("a")
    await line.complete(first, answer(first.message))
    assert [await line.place(ask(n).request_id) for n in range(3)] == [None, 0, 1]


async def test_cancel_marks_reach_the_worker(line: Conversation) -> None:
    await line.cancel("x")
    assert await line.cancelled(["x", "y"]) == {"x"}
    assert await line.cancelled([]) == set()


async def test_workers_are_seen_while_they_beat(line: Conversation) -> None:
    await line.beat("w1", seconds=0.2)
    await line.beat("w2", seconds=30)
    assert await line.workers() == 2
    await asyncio.sleep(0.25)
    assert await line.workers() == 1


async def test_kill_nine_of_the_server_loses_nothing(line: Conversation, embedded: EmbeddedRedis) -> None:
    """250 requests, the server killed five times between pushes and completions: every one gets one reply."""
    await line.ensure()
    total = 250
    replies: list[str] = []
    for number in range(total):
        await line.ask(ask(number))
        if number % 50 == 25:
            await embedded.kill()
            await embedded.start()
    while len(replies) < total:
        deliveries, _ = await line.requests.claim("a", count=16, block=0.05)
        for delivery in deliveries:
            await line.complete(delivery, answer(delivery.message, delivery.message.turns[0].text))
        if len(replies) == 0:
            await embedded.kill()
            await embedded.start()
        got, _ = await line.replies.claim("bot", count=100, block=0.05)
        for reply in got:
            replies.append(reply.message.text)
            await line.replies.ack(reply.entry)
    assert sorted(replies) == sorted(f"сообщение {number}" for number in range(total))
    assert await line.requests.outstanding() == await line.replies.outstanding() == 0
