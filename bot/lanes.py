"""Lanes: jobs of one key run in order, jobs of different keys at once. Knows nothing of chats or updates."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable

from bot.supervision import Supervisor

Job = Callable[[], Awaitable[None]]


class Lanes:
    """One task per key that has something to do, none for the others."""

    def __init__(self, name: str, supervisor: Supervisor) -> None:
        self.name = name
        self.supervisor = supervisor
        self._jobs: dict[Hashable, deque[Job]] = {}

    def submit(self, key: Hashable, job: Job) -> None:
        """Run `job` after all earlier jobs of `key`."""
        queue = self._jobs.get(key)
        if queue is not None:
            queue.append(job)
            return
        self._jobs[key] = deque([job])
        self.supervisor.spawn(self.name, self._run(key))

    @property
    def busy(self) -> int:
        """How many keys have jobs."""
        return len(self._jobs)

    async def _run(self, key: Hashable) -> None:
        queue = self._jobs[key]
        try:
            while queue:
                await queue.popleft()()
        finally:
            rest = self._jobs.pop(key)
            if rest and not self.supervisor.stopping.is_set() and not _cancelled():
                # A job failed: the ones behind it still have their turn.
                self._jobs[key] = rest
                self.supervisor.spawn(self.name, self._run(key))


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
