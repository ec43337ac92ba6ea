"""Leases while the Redis server is away."""

from __future__ import annotations

import asyncio

import pytest

from models.leases import Leases
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from tests.models.line import make_request


@pytest.mark.parametrize("call", ["take", "next_suspect", "release", "renew"])
async def test_leases_outlive_an_outage(conversation: Conversation, embedded: EmbeddedRedis, call: str) -> None:
    queue = conversation.requests
    await conversation.ask(make_request("r"))
    (delivery,), _ = await queue.claim("w", block=0.5)
    await conversation.redis.xclaim(queue.stream, queue.group, "w", 0, [delivery.entry], retrycount=3, justid=True)
    leases = Leases(queue, "w")
    suspect = type(delivery)(delivery.entry, delivery.message, deliveries=3)
    if call != "take":
        await leases.take([suspect])
    await embedded.kill()
    calls = {
        "take": lambda: leases.take([suspect]),
        "next_suspect": leases.next_suspect,
        "release": lambda: leases.release(suspect),
        "renew": leases.renew,
    }
    waiting = asyncio.ensure_future(calls[call]())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await embedded.start()
    await asyncio.wait_for(waiting, 10)
    (pending,) = await conversation.redis.xpending_range(queue.stream, queue.group, min="-", max="+", count=10)
    if call == "renew":
        assert int(pending["time_since_delivered"]) < 5000
    else:
        assert pending["times_delivered"] == {"next_suspect": 3}.get(call, 2)
