"""Bot processes that start in a moment: one process imports everything once and forks on demand.

Run as a script it reads lines from stdin: each starts a bot and is answered with its process id.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.bot.stage import TOKEN, Stage


class Bots:
    """Starts and kills `otklik bot` processes for one stage."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pid: int | None = None

    async def start(self) -> None:
        """One more bot process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"start\n")
        self._pid = int(await self._process.stdout.readline())

    def kill(self) -> None:
        """kill -9."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = None

    @classmethod
    @asynccontextmanager
    async def of(cls, scene: Stage, log: Path) -> AsyncIterator[Bots]:
        """Ready to start bots; whatever still runs at the end is killed."""
        environment = os.environ | {
            "BOT_TOKEN": TOKEN,
            "BOT_API_URL": scene.url,
            "BOT_DEFAULT_EMOTION": "joy",
            "BOT_RATE_LIMIT": "10000",
            "STORAGE_DIR": str(scene.storage.dir),
            "STORAGE_REDIS_URL": scene.server.url,
            "STORAGE_LEASE_SECONDS": "1",
        }
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.journey.bots",
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


def main() -> None:
    """Import, then fork for every line."""
    from bot.app import main as bot

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(bot([]))
        print(child, flush=True)


if __name__ == "__main__":
    main()
