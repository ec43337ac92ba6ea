"""The conversation line on a real server, and a reader of replies that refuses duplicates."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest
from redis.asyncio import Redis

from storage.contracts import ChatReply
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.settings import StorageSettings


class Replies(Protocol):
    async def __call__(self, count: int, patience: float = 90.0) -> dict[str, ChatReply]: ...


@pytest.fixture
async def conversation(embedded: EmbeddedRedis, redis: Redis) -> Conversation:
    line = Conversation(redis, StorageSettings(redis_url=embedded.url, lease_seconds=0.6))
    await line.ensure()
    return line


@pytest.fixture
def replies(conversation: Conversation) -> Replies:
    """Read at least so many replies from the stream; a second reply to one request fails the test."""

    async def read(count: int, patience: float = 90.0) -> dict[str, ChatReply]:
        found: dict[str, ChatReply] = {}
        until = asyncio.get_running_loop().time() + patience
        while len(found) < count and asyncio.get_running_loop().time() < until:
            deliveries, _ = await conversation.replies.claim("test", count=100, block=0.1)
            for delivery in deliveries:
                assert delivery.message.request_id not in found, "answered twice"
                found[delivery.message.request_id] = delivery.message
                await conversation.replies.ack(delivery.entry)
        assert len(found) >= count, f"{len(found)} of {count} replies came"
        return found

    return read
