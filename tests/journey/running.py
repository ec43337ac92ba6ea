"""Starts `otklik up` for journey tests, as a newcomer does, and stops it by Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def otklik_up(
    folder: Path, port: int, engine: str = "echo", **settings: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The running command and the address (or the bot's @name) that it printed; stopped by Ctrl-C at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "otklik", "up"),
        env=os.environ
        | {
            "STORAGE_DIR": str(folder),
            "MODELS_ENGINE": engine,
            "BOT_PLAYGROUND_LISTEN": f"127.0.0.1:{port}",
            "API_LISTEN": f"127.0.0.1:{free_port()}",
        }
        | settings,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process, await asyncio.wait_for(_address(process, folder), 60)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.wait(), 15)


async def _address(process: asyncio.subprocess.Process, folder: Path) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        if found := re.search(r"готов\. (?:Откройте|Бот:) (\S+)", line.decode()):
            return found.group(1)
    logs = "\n".join(f"{path.name}: {path.read_text()[-500:]}" for path in folder.glob("logs/*"))
    raise AssertionError(f"otklik up ended early\n{logs}")
