"""Streams as queues: bounded idempotent push, leases, acknowledge last, dead letters.

One message's life: `push` → `claim` → (`renew` …) → `ack`, or `bury` after too many deliveries. Entries leave the
stream when acknowledged, so its length is what is outstanding. Knows nothing of what the messages mean.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from storage import scripts
from storage.contracts import PROTOCOL, NewerProtocol
from storage.keys import Keys

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=BaseModel)

GONE_AFTER = 86400
KEPT = frozenset(
    {
        "protocol",
        "request_id",
        "rating_id",
        "chat_id",
        "message_id",
        "emotion",
        "intensity",
        "arm",
        "variant",
        "state",
        "thumb",
        "source",
        "seed",
        "created_at",
        "deadline",
    }
)


class QueueFull(Exception):
    """The stream holds as many messages as allowed; nothing was pushed. Try again later."""


@dataclass(frozen=True)
class Receipt:
    """What `push` did: the entry's id, and whether it was there already."""

    entry: str
    fresh: bool


@dataclass(frozen=True)
class Delivery(Generic[M]):
    """A claimed message. `deliveries` counts from 1; more than 1 means that an earlier owner fell silent."""

    entry: str
    message: M
    deliveries: int


@dataclass(frozen=True)
class Spoiled:
    """A claimed entry that cannot be handled: undecodable, or delivered too often."""

    entry: str
    payload: str
    deliveries: int
    reason: str


class StreamQueue(Generic[M]):
    """One stream with one consumer group, holding JSON of one shape."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        name: str,
        shape: type[M],
        *,
        group: str,
        limit: int = 100_000,
        lease: float = 30.0,
        max_deliveries: int = 3,
        remember: float = 7 * 86400,
    ) -> None:
        self.redis = redis
        self.keys = keys
        self.name = name
        self.shape = shape
        self.group = group
        self.limit = limit
        self.lease = lease
        self.max_deliveries = max_deliveries
        self.remember = int(remember)
        self.stream = keys.stream(name)
        self._push = redis.register_script(scripts.PUSH)
        self._ack = redis.register_script(scripts.ACK)
        self._bury = redis.register_script(scripts.BURY)
        self._last_reclaim = -lease
        self._cursor = "0-0"

    async def ensure(self) -> None:
        """Create the group from id 0, so that nothing pushed before the first consumer is missed."""
        try:
            await self.redis.xgroup_create(self.stream, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        await self._forget_gone_consumers()

    async def push(self, message: M, message_id: str) -> Receipt:
        """Append once per `message_id`; QueueFull if the stream is at its limit. Check and push are one script."""
        code, entry = await self._push(
            keys=[self.stream, self.keys.seen(self.name, message_id)],
            args=[message.model_dump_json(), self.limit, self.remember],
        )
        if int(code) < 0:
            raise QueueFull(f"stream {self.name} holds {self.limit} messages")
        return Receipt(entry=str(entry), fresh=int(code) == 1)

    async def claim(
        self, consumer: str, *, count: int = 1, block: float = 1.0
    ) -> tuple[list[Delivery[M]], list[Spoiled]]:
        """Messages for this consumer: first those whose owner fell silent, else new ones.

        Waits up to `block` seconds. Spoiled entries are returned apart; the caller answers for them and calls
        `bury`. An entry of a newer protocol is left to newer processes.
        """
        entries = await self._reclaim(consumer, count)
        if not entries:
            entries = await self._read_new(consumer, count, block)
        deliveries: list[Delivery[M]] = []
        spoiled: list[Spoiled] = []
        for entry, payload, times in entries:
            try:
                message = self._decode(payload)
            except NewerProtocol as error:
                await self._leave(consumer, entry, error)
            except (ValidationError, ValueError):
                spoiled.append(Spoiled(entry, payload, times, "undecodable"))
            else:
                if times > self.max_deliveries:
                    spoiled.append(Spoiled(entry, payload, times, "too many deliveries"))
                else:
                    deliveries.append(Delivery(entry, message, times))
        return deliveries, spoiled

    async def renew(self, consumer: str, entries: Sequence[str]) -> None:
        """Heartbeat: these entries are still being worked on by this consumer."""
        if entries:
            await self.redis.xclaim(self.stream, self.group, consumer, 0, list(entries), justid=True)

    async def ack(self, entry: str) -> bool:
        """Done with an entry: acknowledge and remove it. False if it was gone already."""
        return bool(await self._ack(keys=[self.stream], args=[self.group, entry]))

    async def bury(self, spoiled: Spoiled) -> bool:
        """Move an entry, without its words, to the dead-letter stream. False if somebody else did."""
        log.error("message buried", stream=self.name, entry=spoiled.entry, reason=spoiled.reason)
        moved = await self._bury(
            keys=[self.stream, self.keys.dead(self.name)],
            args=[self.group, spoiled.entry, without_words(spoiled.payload), spoiled.reason, spoiled.deliveries],
        )
        return bool(moved)

    async def silence(self) -> float | None:
        """Seconds since any consumer of the group last asked for messages; None if there never was one."""
        try:
            consumers = await self.redis.xinfo_consumers(self.stream, self.group)
        except ResponseError:
            return None
        return min((one["idle"] / 1000 for one in consumers), default=None)

    async def newest(self) -> str | None:
        """The entry that was pushed last, of those that are still waiting or being worked on."""
        found = await self.redis.xrevrange(self.stream, count=1)
        return str(found[0][0]) if found else None

    async def done_up_to(self, entry: str) -> bool:
        """Whether nothing that was pushed before an entry, nor the entry itself, waits or is being worked on."""
        return not await self.redis.xrange(self.stream, max=entry, count=1)

    async def outstanding(self) -> int:
        """Messages waiting or being worked on."""
        return int(await self.redis.xlen(self.stream))

    def _decode(self, payload: str) -> M:
        if (found := _protocol(payload)) > PROTOCOL:
            raise NewerProtocol(found)
        return self.shape.model_validate_json(payload)

    async def _forget_gone_consumers(self) -> None:
        """Every process start makes a consumer; those that hold nothing and were silent for a day are removed."""
        for consumer in await self.redis.xinfo_consumers(self.stream, self.group):
            if consumer["pending"] == 0 and consumer["idle"] > GONE_AFTER * 1000:
                await self.redis.xgroup_delconsumer(self.stream, self.group, consumer["name"])

    async def _read_new(self, consumer: str, count: int, block: float) -> list[tuple[str, str, int]]:
        milliseconds = max(1, int(block * 1000))
        try:
            answer: Any = await self.redis.xreadgroup(
                self.group, consumer, {self.stream: ">"}, count=count, block=milliseconds
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.ensure()
            return []
        pairs = answer.items() if isinstance(answer, dict) else (answer or [])
        rows = [row for _, chunk in pairs for row in flatten(chunk)]
        return [(entry, fields.get("data", ""), 1) for entry, fields in rows]

    async def _reclaim(self, consumer: str, count: int) -> list[tuple[str, str, int]]:
        """Entries whose lease ran out. Looked for twice per lease, on an idle queue too."""
        if time.monotonic() - self._last_reclaim < self.lease / 2:
            return []
        self._last_reclaim = time.monotonic()
        try:
            answer: Any = await self.redis.xautoclaim(
                self.stream,
                self.group,
                consumer,
                min_idle_time=int(self.lease * 1000),
                start_id=self._cursor,
                count=count,
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.ensure()
            return []
        self._cursor = str(answer[0])
        if len(answer[1]) >= count or self._cursor != "0-0":
            self._last_reclaim = -self.lease  # there may be more: look again at the next claim
        rows = [(entry, fields) for entry, fields in answer[1] if fields]
        if not rows:
            return []
        times = await self._times(consumer, [entry for entry, _ in rows])
        return [(entry, fields.get("data", ""), times.get(entry, 1)) for entry, fields in rows]

    async def _times(self, consumer: str, entries: list[str]) -> dict[str, int]:
        pending: Any = await self.redis.xpending_range(
            self.stream, self.group, min=entries[0], max=entries[-1], count=10_000, consumername=consumer
        )
        return {row["message_id"]: int(row["times_delivered"]) for row in pending}

    async def _leave(self, consumer: str, entry: str, error: NewerProtocol) -> None:
        """Keep an entry for newer processes: its delivery count goes back to zero, so it is never buried by us."""
        log.warning("message left for a newer process", stream=self.name, entry=entry, protocol=error.found)
        await self.redis.xclaim(self.stream, self.group, consumer, 0, [entry], retrycount=0, justid=True)


def without_words(payload: str) -> str:
    """What a dead letter keeps of a payload: ids and numbers to investigate by, never what people wrote.

    Dead letters outlive `/forget`, so they must hold nothing that it would have to find.
    """
    try:
        raw = json.loads(payload)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        return json.dumps({"undecodable_bytes": len(payload.encode())})
    kept = {name: value for name, value in raw.items() if name in KEPT and isinstance(value, (str, int, float))}
    return json.dumps({name: value[:64] if isinstance(value, str) else value for name, value in kept.items()})


def flatten(chunk: Any) -> list[tuple[str, dict[str, str]]]:
    """redis-py wraps entries of a stream in one list more under RESP3."""
    if chunk and isinstance(chunk[0], list) and chunk[0] and isinstance(chunk[0][0], (tuple, list)):
        return [row for part in chunk for row in part]
    return list(chunk)


def _protocol(payload: str) -> int:
    """The protocol of a payload, read before its shape is trusted; ValueError if it is no JSON object with a number."""
    raw = json.loads(payload)
    if not isinstance(raw, dict):
        raise ValueError("payload is not a JSON object")
    protocol = raw.get("protocol", PROTOCOL)
    if not isinstance(protocol, int):
        raise ValueError("protocol is not a whole number")
    return protocol
