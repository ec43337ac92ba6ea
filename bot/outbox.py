"""Replies that SQL holds and that are to be sent now. Does not know how; `delivery.py` does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parcel:
    """A reply to send: by which request, to which chat."""

    chat_id: int
    request_id: str


class Outbox:
    """A queue in memory; what is lost with the process is found again in SQL at the next start."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Parcel] = asyncio.Queue()

    def put(self, chat_id: int, request_id: str) -> None:
        """This reply can be sent."""
        self._queue.put_nowait(Parcel(chat_id, request_id))

    async def get(self, *, patience: float = 0.25) -> Parcel | None:
        """The next reply to send; None if there is none for so many seconds."""
        try:
            return await asyncio.wait_for(self._queue.get(), patience)
        except TimeoutError:
            return None
