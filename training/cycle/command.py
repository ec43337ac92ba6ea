"""`otklik train cycle`: one refit in the foreground, with bars and the verdict. Knows the terminal, no step."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from storage.contracts import JobState, TrainJob, now
from storage.database import Database, upgrade
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.redis import connect
from storage.registry import Registry
from storage.settings import StorageSettings
from training.cycle import progress
from training.cycle.loop import owner_name
from training.cycle.news import News
from training.cycle.order import SHARED, Order
from training.cycle.places import JobFolder
from training.cycle.running import Running
from training.settings import Method, TrainingSettings

TITLES = {
    JobState.QUEUED: "queued",
    JobState.PREPARING: "freezing what people said",
    JobState.TRAINING: "training",
    JobState.EVALUATING: "old against new",
}
CODES = {"rejected": 1, "failed": 2, "cancelled": 130}


class SlotBusy(Exception):
    """Somebody works on another refit of the slot."""


def parser() -> argparse.ArgumentParser:
    """Arguments of `otklik train cycle`."""
    found = argparse.ArgumentParser(
        prog="otklik train cycle",
        description="One refit here and now: freeze feedback, train, evaluate, judge, register. What was begun in the "
        "slot and is held by nobody is gone on with. Exit status: 0 passed, 1 rejected, 2 failed.",
    )
    add = found.add_argument
    add("--method", choices=get_args(Method), help="default: TRAINING_METHOD")
    add("--slot", default=SHARED, help="a preset's id, for an adapter of its own")
    add("--recipe", type=Path, help="own recipe, instead of the one that a refit takes")
    add("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="laid over the recipe")
    add("--log", type=Path, help="learn from this feedback log, in place of what people here said (docs/feedback.md)")
    add("--auto-promote", action="store_true", help="what passes the gate answers everybody at once")
    add("--dry-run", action="store_true", help="only tell what there is to learn from, and what would be done")
    add("--language", choices=("en", "ru"), default="en")
    return found


def main(argv: list[str]) -> int:
    """Run it."""
    given = parser().parse_args(argv)
    storage, settings = StorageSettings(), TrainingSettings()
    if given.auto_promote:
        settings = settings.model_copy(update={"auto_promote": True, "auto_canary": False})
    if given.method:
        settings = settings.model_copy(update={"method": given.method})
    if given.dry_run:
        return _dry_run(given, storage, settings)
    try:
        return asyncio.run(_cycle(given, storage, settings))
    except SlotBusy as busy:
        print(busy, file=sys.stderr)
        return 2


def _dry_run(given: argparse.Namespace, storage: StorageSettings, settings: TrainingSettings) -> int:
    from training.cycle import summing
    from training.recipes import RecipeError

    asyncio.run(upgrade(storage.database()))
    storage.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=storage.dir, prefix="counting-") as place:
        folder = JobFolder(Path(place))
        asked = {"slot": given.slot, "method": settings.method, "log": given.log, "base": "bundled"}
        order = Order(job_id="dry-run", settings=settings, **asked)
        try:
            summing.summarize(folder, order, storage)
        except (RecipeError, FileNotFoundError) as error:
            print(error, file=sys.stderr)
            return 2
        told = folder.read("summary") or {}
    print(json.dumps(told["rows"], ensure_ascii=False), f"people: {told['people']}")
    print(f"method: {told['method'] or 'nothing'}")
    print("\n".join(f"- {line}" for line in told[given.language]))
    return 0 if told["method"] else 1


async def _cycle(given: argparse.Namespace, storage: StorageSettings, settings: TrainingSettings) -> int:
    await upgrade(storage.database())
    database = Database(storage.database())
    redis = connect(storage.redis(), connections=4) if storage.redis_url is not None else None
    board = LoopBoard(redis, storage) if redis is not None else None
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    screen = Screen()
    running = Running(
        database=database,
        registry=Registry(database, board, storage),
        news=News(board),
        storage=storage,
        settings=settings,
        owner=owner_name(),
        stop=stop,
        shown=screen.show,
    )
    try:
        row = await _claim(given, running)
        with screen.bars:
            await running.work(row)
        async with database.view() as unit:
            ended = await unit.jobs.get(row.job_id)
        return _tell(ended or row, storage, given.language, stop.is_set())
    finally:
        await database.close()
        if redis is not None:
            await redis.aclose()


async def _claim(given: argparse.Namespace, running: Running) -> JobRow:
    """A new job, or the slot's unfinished one, held by this process from the first moment."""
    overrides = dict(_pair(one) for one in given.overrides)
    recipe = str(given.recipe.absolute()) if given.recipe else None
    order = TrainJob(
        job_id=f"hand-{now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        method=running.settings.method,
        recipe=recipe,
        overrides=overrides,
        log=str(given.log.absolute()) if given.log else None,
    )
    async with running.database.unit() as unit:
        row = await unit.jobs.add(order, trigger="command", slot=given.slot)
        claimed = await unit.jobs.claim(running.owner, running.settings.lease_seconds, job_id=row.job_id)
        await unit.commit()
    if claimed is None:
        what = "waits for an admin's decision" if row.owner is None else "is worked on by another trainer"
        raise SlotBusy(
            f"slot {given.slot}: job {row.job_id} is {row.state} and {what}; one refit a slot at a time. Decide on it "
            "in Telegram (/admin) or with `otklik adapters promote`, `canary` or `reject`"
        )
    if claimed.job_id != order.job_id:
        print(f"going on with {claimed.job_id}, which was begun and is held by nobody", file=sys.stderr)
    return claimed


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SlotBusy(f"--set {text}: write it as key=value")
    return key, value


def _tell(row: JobRow, storage: StorageSettings, language: str, stopped: bool) -> int:
    """The verdict, or why there is none; the exit status."""
    told: dict[str, Any] = row.verdict or {}
    if told:
        print(told.get(f"text_{language}", ""))
    if row.state in ("failed", "cancelled"):
        print(f"{row.state}: {row.error or 'on request'}", file=sys.stderr)
    elif stopped and row.adapter_id is None:
        print("stopped; a trainer goes on with it, or this command again", file=sys.stderr)
        return 130
    else:
        print(f"{row.adapter_id}: {row.state}")
        print(JobFolder.of(storage.dir, row.job_id).report)
    return CODES.get(row.state, 0)


@dataclass
class Screen:
    """A bar a state."""

    bars: Progress = field(
        default_factory=lambda: Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            refresh_per_second=2,
        )
    )
    tasks: dict[JobState, TaskID] = field(default_factory=dict)

    def show(self, state: JobState, at: progress.Progress) -> None:
        """A state's bar moves; those before it are full."""
        if state not in TITLES:
            return
        if state not in self.tasks:
            for earlier in self.tasks.values():
                self.bars.update(earlier, completed=1, total=1)
            self.tasks[state] = self.bars.add_task(TITLES[state], total=None, note="")
        note = f"loss {at.loss:.3f}" if at.loss is not None else ""
        self.bars.update(self.tasks[state], completed=at.step or 0, total=at.steps, note=note)
