"""The one place that creates tasks. Restarts loops that fail, stops everything on demand.

Does not know what the tasks do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Supervisor:
    """Owns all tasks of a process; nothing it started outlives `stop`."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` to its end; an error is logged."""
        task = asyncio.create_task(self._logged(name, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def loop(self, name: str, body: Callable[[], Awaitable[None]]) -> asyncio.Task[Any]:
        """Run `body` again and again until stopped, pausing longer after each failure in a row."""
        return self.spawn(name, self._repeat(name, body))

    async def _repeat(self, name: str, body: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while not self.stopping.is_set():
            try:
                await body()
                pause = FIRST_PAUSE
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.warning("loop failed, trying again", loop=name, error=type(error).__name__, pause=pause)
                await self.rest(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def rest(self, seconds: float) -> None:
        """Sleep, but not past the order to stop."""
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return

    async def stop(self, *, grace: float = 5.0) -> None:
        """Ask all tasks to end, wait `grace` seconds, cancel the rest."""
        self.stopping.set()
        tasks = set(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        left = {task for task in tasks if not task.done()}
        while left:
            # Clients in between have been seen to swallow a cancellation.
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1.0)

    async def _logged(self, name: str, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except Exception as error:
            log.error("task failed", task=name, error=type(error).__name__, detail=where(error))
            return None


def where(error: BaseException) -> str:
    """File and line of the error; its message may quote dialogue text and stays out of the log."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return f"{last.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{last.tb_lineno}" if last else ""
