"""Keeps child processes alive: start, wait until ready, restart with back-off, stop all within a bound.

Knows nothing of what the children do; readiness comes by `storage.ready` (systemd's notify protocol).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
MISCONFIGURED = 2
LARGEST_LOG = 10 * 1024 * 1024


class ChildFailed(Exception):
    """A child cannot start at all (wrong settings, missing files); restarting would not help."""


def pause_before_restart(failures: int) -> float:
    """Seconds to wait before the next start after `failures` ends in a row (1, 2, …): doubling, bounded."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1)))


@dataclass(frozen=True)
class ChildSpec:
    """What to run. `env` is added to the supervisor's environment; `log` receives stdout and stderr."""

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    notifies: bool = True


class Child:
    """One supervised process."""

    def __init__(self, spec: ChildSpec, say: Callable[[str], None]) -> None:
        self.spec = spec
        self.say = say
        self.status = ""
        self.ready = asyncio.Event()
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._socket_folder = tempfile.mkdtemp(prefix="otklik-")
        self._stopping = False
        self._living = False
        self._served = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> None:
        """Start, and start again whenever it ends, until `stop`. Raises ChildFailed if it never became ready."""
        failures = 0
        with self._listen() as channel:
            listener = asyncio.create_task(self._hear(channel))
            try:
                while not self._stopping:
                    started = time.monotonic()
                    code = await self._live(channel.getsockname())
                    if self._stopping:
                        return
                    if code == MISCONFIGURED and not self._served:
                        raise ChildFailed(f"{self.spec.name} does not start:\n{self.log_tail()}")
                    failures = 1 if time.monotonic() - started > STEADY_SECONDS else failures + 1
                    pause = pause_before_restart(failures)
                    self.say(f"{self.spec.name} ended ({describe_exit(code)}), starting again in {pause:g} s")
                    await asyncio.sleep(pause)
                    self.restarts += 1
            finally:
                listener.cancel()

    async def stop(self, patience: float) -> None:
        """SIGTERM, and SIGKILL after `patience` seconds."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), patience)
            except TimeoutError:
                self.say(f"{self.spec.name} did not stop within {patience:g} s, killed")
                process.kill()
                await process.wait()

    def log_tail(self, characters: int = 1500) -> str:
        """The end of the child's log."""
        with contextlib.suppress(FileNotFoundError):
            return self.spec.log.read_text(errors="replace")[-characters:].strip()
        return "(no log)"

    async def _live(self, notify: str) -> int:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            if self.spec.log.stat().st_size > LARGEST_LOG:
                self.spec.log.replace(self.spec.log.with_suffix(".1.log"))
        # From before it is there: it may speak before the supervisor comes to hold it.
        self._living = True
        with self.spec.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env=os.environ | dict(self.spec.env) | {"NOTIFY_SOCKET": notify, "PYTHONUNBUFFERED": "1"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        if not self.spec.notifies:
            self._serves()
        code = await self._process.wait()
        self._living = False
        self.ready.clear()
        return code

    @contextlib.contextmanager
    def _listen(self):  # type: ignore[no-untyped-def]
        path = Path(self._socket_folder) / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.bind(str(path))
            channel.setblocking(False)
            try:
                yield channel
            finally:
                path.unlink(missing_ok=True)
                Path(self._socket_folder).rmdir()

    async def _hear(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            words = (await loop.sock_recv(channel, 4096)).decode(errors="replace")
            if not self._living:
                continue  # said before it ended and read only now
            fields = dict(line.partition("=")[::2] for line in words.splitlines())
            self.status = fields.get("STATUS", self.status)
            if fields.get("READY") == "1":
                self._serves()

    def _serves(self) -> None:
        self._served = True
        self.ready.set()


def describe_exit(code: int) -> str:
    """An exit status in words: `status 1`, `signal SIGKILL`."""
    if code >= 0:
        return f"status {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


def _die_with_parent() -> None:
    """Linux: the child gets SIGTERM when the supervisor is killed, so no orphan keeps the data open (prctl(2))."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
