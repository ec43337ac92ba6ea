"""Waiting within bounds: for tasks that must end, for calls that may hang. Knows nothing of what they do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def within(awaitable: Awaitable[object], seconds: float) -> None:
    """Wait, but no longer."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(awaitable, seconds)


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for tasks that were told to end, then cancel them; again and again, because a Redis client that is cut
    short in the middle of a command may keep the cancellation to itself."""
    _, pending = await asyncio.wait(tasks, timeout=1.0)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.2)


async def in_daemon(call: Callable[..., T], *args: object) -> T:
    """Run a call in a thread that nobody waits for when the process ends: a store that hangs must not keep it."""
    done: Future[T] = Future()

    def run() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            result = call(*args)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=run, name="fetch", daemon=True).start()
    return await asyncio.wrap_future(done)
