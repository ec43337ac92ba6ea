"""Requests and replies: the two streams between bot and worker, and what ties them together.

A request gets exactly one reply: completing stores the reply, marks the request done and removes it, in one script.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from redis.asyncio import Redis

from storage import scripts
from storage.contracts import ChatReply, ChatRequest
from storage.keys import Keys
from storage.queue import Delivery, Receipt, Spoiled, StreamQueue, without_words
from storage.settings import StorageSettings

REMEMBER = 7 * 86400
# A process that asked directly is gone with its connections: what nobody read for so long is dropped.
DIRECT = 3600


class Conversation:
    """The bot's and the worker's view of the conversation line in Redis."""

    def __init__(self, redis: Redis, settings: StorageSettings) -> None:
        self.redis = redis
        self.keys = Keys(settings.namespace)
        self.requests = StreamQueue(
            redis,
            self.keys,
            "requests",
            ChatRequest,
            group="workers",
            limit=settings.queue_limit,
            lease=settings.lease_seconds,
            max_deliveries=settings.max_deliveries,
        )
        self.replies = StreamQueue(
            redis, self.keys, "replies", ChatReply, group="bots", lease=settings.lease_seconds, max_deliveries=10
        )
        self._complete = redis.register_script(scripts.COMPLETE)
        self._refuse = redis.register_script(scripts.REFUSE)
        self._places = redis.register_script(scripts.PLACES)

    async def ensure(self) -> None:
        """Create both groups; call at start of every process."""
        await self.requests.ensure()
        await self.replies.ensure()

    async def ask(self, request: ChatRequest) -> Receipt:
        """Bot: queue a request once per `request_id`; QueueFull when too many wait."""
        return await self.requests.push(request, request.request_id)

    async def complete(self, delivery: Delivery[ChatRequest], reply: ChatReply) -> bool:
        """Worker: store the reply and acknowledge the request. False if the request had its reply already."""
        route = delivery.message.route
        fresh = await self._complete(
            keys=[self.requests.stream, self.keys.replies(route), self.keys.done(reply.request_id)],
            args=[self.requests.group, delivery.entry, reply.model_dump_json(), REMEMBER, DIRECT if route else 0],
        )
        return bool(fresh)

    async def refuse(self, spoiled: Spoiled, reply: ChatReply | None) -> bool:
        """Worker: bury a request that cannot be handled and, with `reply`, tell the person, in one step."""
        if reply is None:
            return await self.requests.bury(spoiled)
        route = route_of(spoiled.payload)
        moved = await self._refuse(
            keys=[
                self.requests.stream,
                self.keys.dead("requests"),
                self.keys.replies(route),
                self.keys.done(reply.request_id),
            ],
            args=[
                self.requests.group,
                spoiled.entry,
                without_words(spoiled.payload),
                spoiled.reason,
                spoiled.deliveries,
                reply.model_dump_json(),
                REMEMBER,
                DIRECT if route else 0,
            ],
        )
        return bool(moved)

    async def cancel(self, request_id: str) -> None:
        """Bot: ask whoever works on the request to stop; it still ends in a reply (state cancelled)."""
        await self.redis.set(self.keys.cancelled(request_id), "1", ex=3600)

    async def cancelled(self, request_ids: Sequence[str]) -> set[str]:
        """Worker: which of these requests are to stop."""
        if not request_ids:
            return set()
        marks = await self.redis.mget([self.keys.cancelled(request_id) for request_id in request_ids])
        return {request_id for request_id, mark in zip(request_ids, marks, strict=True) if mark}

    async def place(self, request_id: str) -> int | None:
        """How many requests are ahead of this one; None if it is not queued (answered, or never pushed)."""
        return (await self.places([request_id])).get(request_id)

    async def places(self, request_ids: Sequence[str]) -> dict[str, int]:
        """How many requests are ahead of each of these; those not queued are left out. One walk over the stream."""
        if not request_ids:
            return {}
        keys = [self.requests.stream, *(self.keys.seen("requests", request_id) for request_id in request_ids)]
        ranks = await self._places(keys=keys, args=[self.requests.limit])
        return {request_id: int(rank) for request_id, rank in zip(request_ids, ranks, strict=True) if int(rank) >= 0}

    async def beat(self, worker_id: str, *, seconds: float) -> None:
        """Worker: sign of life, gone after `seconds`."""
        moment = time.time()
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self.keys.workers(), {worker_id: moment + seconds})
            pipe.zremrangebyscore(self.keys.workers(), "-inf", moment)
            await pipe.execute()

    async def workers(self) -> int:
        """How many workers gave a sign of life lately."""
        return int(await self.redis.zcount(self.keys.workers(), time.time(), "+inf"))


def route_of(payload: str) -> str:
    """The route of a request as it was pushed; empty where the payload does not tell."""
    try:
        raw = json.loads(payload)
    except ValueError:
        return ""
    route = raw.get("route", "") if isinstance(raw, dict) else ""
    return route if isinstance(route, str) else ""
