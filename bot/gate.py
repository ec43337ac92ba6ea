"""The gate before Telegram: only so many sends at once, and who passes next. Does not know what is sent.

Cards with telephone numbers pass first. Replies and what handlers say take turns: neither waits behind all the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum


class Line(IntEnum):
    """Who waits at the gate."""

    CARDS = 0
    REPLIES = 1
    SAYINGS = 2


class Gate:
    """`places` may be inside at once."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._lines: dict[Line, deque[asyncio.Future[None]]] = {line: deque() for line in Line}
        self._last = Line.SAYINGS

    @asynccontextmanager
    async def passing(self, line: Line) -> AsyncIterator[None]:
        """Wait in the line, be inside, leave."""
        await self._enter(line)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, line: Line) -> None:
        if self._free:
            self._free -= 1
            self._passes(line)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines[line].append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        """Hand the place on: it is never free while somebody waits."""
        turn = (Line.CARDS, Line.SAYINGS, Line.REPLIES) if self._last is Line.REPLIES else tuple(Line)
        for line in turn:
            while self._lines[line]:
                place = self._lines[line].popleft()
                if not place.done():
                    place.set_result(None)
                    self._passes(line)
                    return
        self._free += 1

    def _passes(self, line: Line) -> None:
        if line is not Line.CARDS:
            self._last = line
