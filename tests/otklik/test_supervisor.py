"""The supervisor with real processes: readiness, restart, refusal of a hopeless child, stopping all, orphans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otklik.supervisor import Child, ChildFailed, ChildSpec, describe_exit, pause_before_restart

SERVE = "import time; from storage.ready import notify_ready; notify_ready('@тест'); time.sleep(60)"


def spec(folder: Path, code: str, name: str = "child") -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-c", code], folder / f"{name}.log")


async def until(condition: object, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.02)


async def test_a_child_becomes_ready_tells_its_status_and_stops(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, SERVE), print)
    task = asyncio.create_task(child.run())
    await asyncio.wait_for(child.ready.wait(), 10)
    assert child.status == "@тест"
    await child.stop(5)
    await asyncio.wait_for(task, 5)
    assert child.pid is None


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child(spec(tmp_path, SERVE), said.append)
    task = asyncio.create_task(child.run())
    await asyncio.wait_for(child.ready.wait(), 10)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in (None, first))
    assert child.restarts == 1
    assert "SIGKILL" in said[0]
    await child.stop(5)
    await asyncio.wait_for(task, 5)


async def test_wrong_settings_end_the_attempt_with_the_log(tmp_path: Path) -> None:
    child = Child(spec(tmp_path, "import sys; print('MODELS_BASE: no such folder'); sys.exit(2)"), print)
    with pytest.raises(ChildFailed, match="MODELS_BASE: no such folder"):
        await asyncio.wait_for(child.run(), 10)


async def test_what_is_read_of_a_child_that_has_ended_makes_nobody_ready(tmp_path: Path) -> None:
    ended = f"import os, sys; sys.exit(2 if os.path.exists({str(tmp_path / 'again')!r}) else 1)"

    def late(_: str) -> None:
        """Between two lives, with the words that the first one left in the socket."""
        (tmp_path / "again").touch()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto("READY=1\nSTATUS=@тест".encode(), str(Path(child._socket_folder) / "notify"))

    child = Child(spec(tmp_path, ended), late)
    with pytest.raises(ChildFailed):
        await asyncio.wait_for(child.run(), 10)
    assert child.restarts == 1 and child.status == "" and not child.ready.is_set()


async def test_a_deaf_child_is_killed_within_the_bound(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVE
    child = Child(spec(tmp_path, deaf), print)
    task = asyncio.create_task(child.run())
    await asyncio.wait_for(child.ready.wait(), 10)
    started = time.monotonic()
    await child.stop(0.5)
    assert time.monotonic() - started < 3
    await asyncio.wait_for(task, 5)


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(PR_SET_PDEATHSIG) exists on Linux only")
async def test_children_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
from otklik.supervisor import Child, ChildSpec
async def main():
    child = Child(ChildSpec("c", [sys.executable, "-c", {SERVE!r}], Path({str(tmp_path / "c.log")!r})), print)
    task = asyncio.create_task(child.run())
    await child.ready.wait()
    print(child.pid, flush=True)
    await task
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(await asyncio.to_thread(supervisor.stdout.readline))
        supervisor.kill()

    def gone() -> bool:
        with contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        return True

    await until(gone)


def test_pauses_double_and_are_bounded() -> None:
    assert [pause_before_restart(n) for n in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 30.0]


def test_exits_are_told_in_words() -> None:
    assert describe_exit(2) == "status 2"
    assert describe_exit(-9) == "signal SIGKILL"
    assert describe_exit(-250) == "signal 250"
