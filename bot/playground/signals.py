"""Waking those who wait, and the log of what people can see. Does not know what an event means."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any


class Signal:
    """Wakes everyone who waits now; whoever comes later waits for the next time."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake the waiters."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float | None = None) -> bool:
        """True when woken, False when the time ran out."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed on the screens of `audience` (None: of everyone)."""

    seq: int
    kind: str
    data: dict[str, Any]
    audience: frozenset[int] | None

    def visible_to(self, person: int) -> bool:
        """Whether this person's screen shows it."""
        return self.audience is None or person in self.audience


@dataclass(slots=True)
class EventLog:
    """The last events, so that a screen that was away can catch up."""

    size: int = 5000
    seq: int = 0
    events: deque[Event] = field(default_factory=deque)
    signal: Signal = field(default_factory=Signal)

    def append(self, kind: str, data: dict[str, Any], audience: frozenset[int] | None) -> Event:
        """Add an event and wake the screens."""
        self.seq += 1
        event = Event(self.seq, kind, data, audience)
        self.events.append(event)
        while len(self.events) > self.size:
            self.events.popleft()
        self.signal.notify()
        return event

    def since(self, seq: int, person: int) -> list[Event]:
        """What this person has missed after `seq`; a `reset` event first if that is no longer known."""
        missed: list[Event] = []
        for event in reversed(self.events):
            if event.seq <= seq:
                break
            if event.visible_to(person):
                missed.append(event)
        missed.reverse()
        oldest = self.events[0].seq if self.events else self.seq + 1
        if seq > self.seq or seq + 1 < oldest:
            missed.insert(0, Event(self.seq, "reset", {}, None))
        return missed
