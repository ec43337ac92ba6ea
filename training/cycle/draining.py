"""Workers on the same GPU make room while a refit needs it: asked, asked anew, and let back whatever happens.

If the trainer dies, the request runs out by itself. Knows Redis through `News` only.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from training.cycle.news import News
from training.settings import TrainingSettings

# Workers finish the answers that they began before they make room; one that does not answer is not waited for longer.
ROOM_SECONDS, LOOK_SECONDS = 60.0, 0.5
RENEW_SECONDS = 15.0
LEAST_SECONDS = 60.0


class Drain:
    """Open while the GPU is needed; nothing happens where workers have a GPU of their own."""

    def __init__(self, news: News, settings: TrainingSettings) -> None:
        self.news, self.settings = news, settings
        self.asked = 0.0

    async def __aenter__(self) -> Drain:
        if self.settings.drain:
            await self.renew(None)
            for _ in range(round(ROOM_SECONDS / LOOK_SECONDS)):
                if await self.news.room():
                    break
                await asyncio.sleep(LOOK_SECONDS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.settings.drain:
            await self.news.end_drain()

    async def renew(self, eta_seconds: float | None) -> None:
        """Ask again, for as long as it seems to take; people are told this time."""
        if not self.settings.drain or (time.monotonic() - self.asked < RENEW_SECONDS and self.asked):
            return
        self.asked = time.monotonic()
        most = self.settings.drain_minutes * 60
        await self.news.drain(most if eta_seconds is None else min(most, max(LEAST_SECONDS, eta_seconds * 1.2)))
