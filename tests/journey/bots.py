"""Bot and trainer processes that start in a moment: one process imports everything once and forks on demand.

Run as a script, with `module:function` of an `otklik` command, it reads lines from stdin: each starts that command and
is answered with its process id. A line may name functions, `module:name` or `module:Class.name`: there the command says
«hangs» and goes no further, at every call or, with `@`, at the one of that number, so that it can be killed at that
very step.
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
from typing import IO, Any

from storage.settings import StorageSettings
from tests.bot.stage import TOKEN

BOT, TRAINER = "bot.app:main", "training.trainer:main"


class Bots:
    """Starts and kills processes of one command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pid: int | None = None

    async def start(self, *hang: str) -> None:
        """One more process, which is to hang at these steps."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{' '.join(hang)}\n".encode())
        self._pid = int(await self._line())

    async def hangs(self) -> None:
        """Wait until the process is, once more, where it was told to hang."""
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
    async def of(
        cls, storage: StorageSettings, log: Path, command: str = BOT, *, api_url: str = ""
    ) -> AsyncIterator[Bots]:
        """Ready to start; whatever still runs at the end is killed."""
        environment = os.environ | {
            "BOT_TOKEN": TOKEN,
            "BOT_API_URL": api_url,
            "BOT_DEFAULT_EMOTION": "joy",
            "BOT_RATE_LIMIT": "10000",
            "STORAGE_DIR": str(storage.dir),
            "STORAGE_REDIS_URL": storage.redis(),
            "STORAGE_DATABASE_URL": storage.database(),
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


def hang_at(step: str, answers: IO[str]) -> None:
    """Have a coroutine function never come back."""
    place, _, which = step.partition("@")
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    original = getattr(owner, name)
    calls = itertools.count(1)

    async def until_killed(*given: Any, **named: Any) -> Any:
        if not which or next(calls) == int(which):
            print("hangs", file=answers, flush=True)
            await asyncio.Event().wait()
        return await original(*given, **named)

    setattr(owner, name, until_killed)


def main() -> None:
    """Import, then fork for every line."""
    module, _, function = sys.argv[1].partition(":")
    command = getattr(import_module(module), function)

    # What the command itself prints is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            for step in line.split():
                hang_at(step, answers)
            os._exit(command([]))
        print(child, file=answers, flush=True)


if __name__ == "__main__":
    main()
