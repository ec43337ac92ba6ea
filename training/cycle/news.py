"""What the trainer tells of a job over Redis: nothing that must not be lost, so an absent Redis holds nothing up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from redis.exceptions import RedisError

from storage.contracts import DataSummary, JobEvent, JobState, now
from storage.loop_board import LoopBoard
from training.cycle.progress import Progress

log = structlog.get_logger(__name__)

# Redis has so long to listen; after that only news of weight are tried for a while.
PATIENCE, PAUSE = 2.0, 10.0


class News:
    """The board, without its errors; None where there is no Redis to tell it to."""

    def __init__(self, board: LoopBoard | None) -> None:
        self.board = board
        self._again = 0.0

    async def tell(
        self, job_id: str, state: JobState, progress: Progress | None = None, verdict: str | None = None
    ) -> None:
        """A job's newest sign of life."""
        shown = progress or Progress()
        event = JobEvent(
            job_id=job_id,
            state=state.value,
            step=shown.step,
            steps=shown.steps,
            loss=shown.loss,
            eta_seconds=shown.eta_seconds,
            verdict=verdict,
        )
        await self._quietly(lambda board: board.tell(event), must=progress is None)

    async def picture(self, job_id: str, png: bytes) -> None:
        """A job's picture."""
        await self._quietly(lambda board: board.put_picture(job_id, png), must=True)

    async def summary(self, found: DataSummary) -> None:
        """What a refit would learn from now."""
        await self._quietly(lambda board: board.put_summary(found), must=True)

    async def drain(self, seconds: float) -> None:
        """Workers on the shared GPU make room for so long, unless it is asked anew or ended."""
        until = now() + timedelta(seconds=seconds)
        await self._quietly(lambda board: board.ask_drain(until), must=True)

    async def room(self) -> bool:
        """Whether every worker that shares the GPU has left it; True where none says that it shares one."""
        found: dict[str, bool] = {}

        async def ask(board: LoopBoard) -> None:
            found.update(await board.sharing())

        await self._quietly(ask, must=True)
        return all(found.values())

    async def end_drain(self) -> None:
        """Workers may come back; if this is not heard, they come back when the time is over."""
        await self._quietly(lambda board: board.end_drain(), must=True)

    async def _quietly(self, doing: Callable[[LoopBoard], Awaitable[object]], *, must: bool) -> None:
        """Say it if Redis listens; after an error only what `must` be said is tried for a while."""
        if self.board is None or (not must and time.monotonic() < self._again):
            return
        try:
            await asyncio.wait_for(doing(self.board), PATIENCE)
        except (RedisError, OSError, TimeoutError) as error:
            if not self._again:
                log.warning("news not told", error=type(error).__name__)
            self._again = time.monotonic() + PAUSE
        else:
            self._again = 0.0
