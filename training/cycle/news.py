"""What the trainer tells of a job over Redis: nothing that must not be lost, so an absent Redis holds nothing up."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from storage.contracts import DataSummary, JobEvent, JobState, now
from storage.loop_board import LoopBoard
from training.cycle.progress import Progress

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class News:
    """The board, without its errors; None where there is no Redis to tell it to."""

    def __init__(self, board: LoopBoard | None) -> None:
        self.board = board
        self._away = False

    async def tell(
        self, job_id: str, state: JobState, progress: Progress | None = None, verdict: str | None = None
    ) -> None:
        """A job's newest sign of life."""
        shown = progress or Progress()
        if self.board is None:
            return
        event = JobEvent(
            job_id=job_id,
            state=state.value,
            step=shown.step,
            steps=shown.steps,
            loss=shown.loss,
            eta_seconds=shown.eta_seconds,
            verdict=verdict,
        )
        await self._quietly(self.board.tell(event))

    async def picture(self, job_id: str, png: bytes) -> None:
        """A job's picture."""
        if self.board is not None:
            await self._quietly(self.board.put_picture(job_id, png))

    async def summary(self, found: DataSummary) -> None:
        """What a refit would learn from now."""
        if self.board is not None:
            await self._quietly(self.board.put_summary(found))

    async def drain(self, seconds: float) -> None:
        """Workers on the shared GPU make room for so long, unless it is asked anew or ended."""
        if self.board is not None:
            await self._quietly(self.board.ask_drain(now() + timedelta(seconds=seconds)))

    async def end_drain(self) -> None:
        """Workers may come back; if this is not heard, they come back when the time is over."""
        if self.board is not None:
            await self._quietly(self.board.end_drain())

    async def _quietly(self, doing: Awaitable[Result]) -> Result | None:
        try:
            done = await doing
        except (RedisError, OSError) as error:
            if not self._away:
                log.warning("news not told", error=type(error).__name__)
            self._away = True
            return None
        self._away = False
        return done
