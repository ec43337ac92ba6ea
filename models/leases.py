"""What a worker holds: claimed requests, their leases, and the suspects that wait to run alone.

A request that comes for the last time may be what killed its earlier workers. It runs alone, and while it waits its
delivery does not count, so that one poisoned request cannot take the others of its batch with it.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Sequence

from redis.exceptions import ResponseError

from models.outages import persist
from storage.contracts import ChatReply, ChatRequest, FailReason, ReplyState
from storage.queue import Delivery, Spoiled, StreamQueue

Claimed = Delivery[ChatRequest]


class Leases:
    """The claimed and unanswered requests of one worker."""

    def __init__(self, queue: StreamQueue[ChatRequest], consumer: str) -> None:
        self.queue = queue
        self.consumer = consumer
        self.held: dict[str, Claimed] = {}
        self.suspects: deque[Claimed] = deque()

    async def take(self, deliveries: Sequence[Claimed]) -> list[Claimed]:
        """Hold what was claimed; returns what may run now. An entry that is held already is not taken twice."""
        ready: list[Claimed] = []
        for delivery in deliveries:
            known = self.held.get(delivery.message.request_id)
            if known is not None:
                continue
            self.held[delivery.message.request_id] = delivery
            if 1 < self.queue.max_deliveries <= delivery.deliveries:
                self.suspects.append(delivery)
                await self._count(delivery, delivery.deliveries - 1)
            else:
                ready.append(delivery)
        return ready

    async def next_suspect(self) -> Claimed | None:
        """A suspect to run alone now; its delivery counts from here on."""
        while self.suspects:
            suspect = self.suspects.popleft()
            if suspect.message.request_id in self.held:
                await self._count(suspect, suspect.deliveries)
                return suspect
        return None

    async def renew(self) -> None:
        """Heartbeat for all that is held."""
        await persist(
            "renew", lambda: self.queue.renew(self.consumer, [delivery.entry for delivery in self.held.values()])
        )

    async def release(self, delivery: Claimed, *, counted: bool = False) -> None:
        """Give a request back unanswered: others may take it at once. `counted`: it may be what broke this worker."""
        self.held.pop(delivery.message.request_id, None)
        times = delivery.deliveries if counted else delivery.deliveries - 1
        await self._count(delivery, times, idle=int(self.queue.lease * 1000) + 1)

    async def _count(self, delivery: Claimed, times: int, *, idle: int = 0) -> None:
        async def claim() -> None:
            # The server answers with an error where the group is gone: then there is nothing to count.
            with contextlib.suppress(ResponseError):
                await self.queue.redis.xclaim(
                    self.queue.stream,
                    self.queue.group,
                    self.consumer,
                    0,
                    [delivery.entry],
                    idle=idle,
                    retrycount=times,
                    justid=True,
                )

        await persist("count", claim)


def refusal(spoiled: Spoiled) -> ChatReply | None:
    """The reply to a request that cannot be handled, as far as its payload can be read; None if not even its id."""
    try:
        raw = json.loads(spoiled.payload)
        return ChatReply(
            request_id=raw["request_id"],
            chat_id=raw["chat_id"],
            state=ReplyState.FAILED,
            reason=FailReason.POISONED,
            emotion=str(raw.get("emotion", "neutral")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
