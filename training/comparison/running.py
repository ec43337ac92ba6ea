"""Trains the entries of a bench, each in a process of its own, so that memory is measured for each alone.

A finished entry stays as it is; one that was killed goes on from its newest checkpoint. Knows processes and files, no
metric.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from training.comparison import costs, plan
from training.comparison.costs import MIB, Attempt, Cost
from training.comparison.frozen import Frozen
from training.comparison.plan import Entry, Part
from training.recipes import RecipeError

Show = Callable[[str], object]
STDERR = 2


class BenchBusy(RecipeError):
    """Another process works in this folder."""


class BenchStopped(RecipeError):
    """The bench was asked to stop; it can be continued."""


@dataclass(frozen=True)
class Job:
    """A part with all that is laid over its recipe."""

    name: str
    part: Part
    laid: tuple[str, ...]
    base: str

    @property
    def identity(self) -> str:
        """What its result depends on."""
        return plan.identity(self.part, self.laid)


@dataclass
class Place:
    """A bench's folder while it is held."""

    folder: Path
    lock: IO[str]

    def record(self, name: str) -> Path:
        """Where a finished job's cost stands."""
        return self.folder / "methods" / f"{name}.json"

    def attempts(self, name: str) -> Path:
        """Where its processes are written down."""
        return self.folder / "methods" / f"{name}.attempts.jsonl"

    def run(self, job: Job) -> Path:
        """Its run's folder."""
        return self.folder / "runs" / f"{job.part.method}-{job.name}"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Place]:
    """The folder for one bench alone. Its training process holds the lock too and keeps it if the bench is killed."""
    for part in ("methods", "logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchBusy(f"{folder}: another bench, or the training that one left, is at work here") from None
        yield Place(folder, lock)


def jobs(entries: Mapping[str, Entry], base: str, frozen: Frozen, seed: int, place: Path) -> dict[str, list[Job] | str]:
    """Each entry's jobs in order (a reward model first), all checked before any is started; a text where an entry
    cannot run on this data."""
    found: dict[str, list[Job] | str] = {}
    for name, entry in entries.items():
        own = entry.base or base
        try:
            data = frozen.folder(entry.learns, entry.rows)
            reward = frozen.folder("pairs") if entry.reward else None
        except RecipeError as error:
            found[name] = str(error)
            continue
        laid = plan.overrides(name, entry, own, data, seed)
        steps = []
        if entry.reward:
            first = plan.overrides(f"{name}-reward", entry.reward, own, reward, seed)
            plan.check(entry.reward, first)
            steps.append(Job(f"{name}-reward", entry.reward, tuple(first), own))
            folder = place / "runs" / f"{entry.reward.method}-{name}-reward" / "adapter"
            laid.append(f"reward.model={json.dumps(str(folder))}")
        plan.check(entry, laid)
        found[name] = [*steps, Job(name, entry, tuple(laid), own)]
    return found


def train(place: Place, job: Job, show: Show) -> Cost:
    """The cost of a finished job: found, or after training it; `failed` says why where it could not be trained."""
    record = place.record(job.name)
    if record.is_file():
        known = Cost.model_validate_json(record.read_text(encoding="utf-8"))
        if known.identity == job.identity and known.failed is None:
            show(f"{job.name}: finished earlier, {known.minutes:.1f} min")
            return known
    _same(place, job)
    status = _process(place, job)
    spent = costs.total(_attempts(place.attempts(job.name)))
    log, run = place.folder / "logs" / f"{job.name}.log", place.run(job)
    if status == 0:
        result = next(one for one in (run / "adapter", run / "model") if one.is_dir())
        lines = costs.measured(run)
        found = costs.of_run(lines, result, Path(job.base))
        cost = Cost(identity=job.identity, folder=_inside(result, place.folder), **spent, **found)
        show(f"{job.name}: {cost.minutes:.1f} min, {cost.peak_mib:,.0f} MiB")
    else:
        cost = Cost(identity=job.identity, failed=_reason(log, status), **spent)
        show(f"{job.name}: FAILED, {cost.failed} ({log})")
    record.write_text(cost.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return cost


def both(costs_of: Sequence[Cost]) -> Cost:
    """The cost of an entry whose jobs came one after another: the last one's result, minutes of all."""
    last = costs_of[-1]
    return last.model_copy(
        update={
            "minutes": sum(one.minutes for one in costs_of),
            "cpu_minutes": sum(one.cpu_minutes for one in costs_of),
            "peak_mib": max(one.peak_mib for one in costs_of),
            "at_least": any(one.at_least for one in costs_of),
        }
    )


def _same(place: Place, job: Job) -> None:
    """A run that was begun goes on only as what it was begun."""
    path = place.folder / "methods" / f"{job.name}.plan.json"
    asked: dict[str, Any] = {"identity": job.identity, "laid": list(job.laid)}
    if not path.is_file():
        path.write_text(json.dumps(asked, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if earlier["identity"] != job.identity:
        other = sorted(set(earlier["laid"]) ^ set(job.laid)) or [str(job.part.file)]
        raise RecipeError(
            f"{job.name} was begun here with another recipe ({', '.join(other)}): give another --out, or the same keys"
        )


def _process(place: Place, job: Job) -> int:
    """Run the job to its end or to a signal; writes down what it took."""
    command = [sys.executable, "-m", "training.cli", "train", job.part.method, "--recipe", str(job.part.file)]
    command += [word for one in job.laid for word in ("--set", one)]
    if (place.run(job) / "recipe.yaml").is_file():
        command.append("--resume")
    environment = {**os.environ, "STORAGE_DIR": str(place.folder)}
    log = place.folder / "logs" / f"{job.name}.log"
    _note(place, job, Attempt())
    began = time.monotonic()
    with log.open("w") as errors:
        # Its bar goes where our own lines go. Its own session: a signal of the terminal reaches it through us, once.
        child = subprocess.Popen(
            command,
            env=environment,
            stdout=STDERR,
            stderr=errors,
            start_new_session=True,
            pass_fds=(place.lock.fileno(),),
        )
        with _forwarding(child) as asked:
            _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts resident memory in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    done = Attempt(
        seconds=time.monotonic() - began,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss * unit / MIB,
        ended=True,
    )
    _note(place, job, done)
    if asked:
        raise BenchStopped(f"stopped while training {job.name}: continue with --resume")
    return child.returncode


@contextlib.contextmanager
def _forwarding(child: subprocess.Popen[Any]) -> Iterator[list[int]]:
    """SIGINT and SIGTERM go to the child; yields the list of those that came."""
    came: list[int] = []

    def forward(number: int, frame: object) -> None:
        came.append(number)
        child.send_signal(number)

    try:
        earlier = {one: signal.signal(one, forward) for one in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        earlier = {}  # Not the main thread: whoever started us handles signals.
    try:
        yield came
    finally:
        for one, handler in earlier.items():
            signal.signal(one, handler)


def _note(place: Place, job: Job, attempt: Attempt) -> None:
    with place.attempts(job.name).open("a", encoding="utf-8") as out:
        out.write(attempt.model_dump_json() + "\n")


def _attempts(path: Path) -> list[Attempt]:
    """Processes of a job: a line at each start, which the line of its end replaces."""
    found: list[Attempt] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        one = Attempt.model_validate_json(line)
        if one.ended and found and not found[-1].ended:
            found.pop()
        found.append(one)
    return found


def _reason(log: Path, status: int) -> str:
    if status < 0:
        hint = " (out of memory?)" if -status == signal.SIGKILL else ""
        return f"its process was killed by signal {-status}{hint}"
    return _last(log) or f"its process ended with status {status}"


def _last(path: Path) -> str:
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _inside(path: Path, folder: Path) -> Path:
    return path.absolute().relative_to(folder.absolute())
