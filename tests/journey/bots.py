"""Bot and trainer processes that start in a moment: one process imports everything once and forks on demand.

Run as a script, with `module:function` of an `otklik` command, it reads lines from stdin: each starts that command and
is answered with its process id. A line may name a function, `module:name` or `module:Class.name`, and the number of
one of its calls: there the command says «hangs» and goes no further, so that it can be killed at that very step.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bot.stage import TOKEN, Stage

BOT, TRAINER = "bot.app:main", "training.trainer:main"


class Bots:
    """Starts and kills processes of one command for one stage."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pid: int | None = None

    async def start(self, *, hang: str = "", call: int = 1) -> None:
        """One more process; with `hang` it hangs at that call of that function."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{hang} {call}\n".encode())
        self._pid = int(await self._line())

    async def hangs(self) -> None:
        """Wait until the process is where it was told to hang."""
        assert await asyncio.wait_for(self._line(), 30) == b"hangs\n"

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    def kill(self) -> None:
        """kill -9."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = None

    @classmethod
    @asynccontextmanager
    async def of(cls, scene: Stage, log: Path, command: str = BOT) -> AsyncIterator[Bots]:
        """Ready to start; whatever still runs at the end is killed."""
        environment = os.environ | {
            "BOT_TOKEN": TOKEN,
            "BOT_API_URL": scene.url,
            "BOT_DEFAULT_EMOTION": "joy",
            "BOT_RATE_LIMIT": "10000",
            "STORAGE_DIR": str(scene.storage.dir),
            "STORAGE_REDIS_URL": scene.server.url,
            "STORAGE_DATABASE_URL": scene.storage.database(),
            "STORAGE_LEASE_SECONDS": "1",
            "TRAINING_REFITS": "no",
        }
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.journey.bots", command),
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                cwd=Path(__file__).parents[2],
            )
        bots = cls(process)
        try:
            yield bots
        finally:
            with suppress(ProcessLookupError):
                bots.kill()
            process.kill()
            await process.wait()


def hang_at(place: str, call: int) -> None:
    """Have the call of that number of a coroutine function never come back."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    original = getattr(owner, name)
    calls = itertools.count(1)

    async def until_killed(*given: Any, **named: Any) -> Any:
        if next(calls) == call:
            print("hangs", flush=True)
            await asyncio.Event().wait()
        return await original(*given, **named)

    setattr(owner, name, until_killed)


def main() -> None:
    """Import, then fork for every line."""
    module, _, function = sys.argv[1].partition(":")
    command = getattr(import_module(module), function)

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        place, _, call = line.strip().rpartition(" ")
        child = os.fork()
        if child == 0:
            if place:
                hang_at(place, int(call))
            os._exit(command([]))
        print(child, flush=True)


if __name__ == "__main__":
    main()
