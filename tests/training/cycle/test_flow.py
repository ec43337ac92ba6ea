"""The whole way of a refit in its smallest form, through the real trainer process, with real Redis and SQLite."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis

from storage.contracts import TrainJob
from storage.database import Database, upgrade
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.presets import load_presets
from storage.settings import StorageSettings
from tests.training.cycle import made
from tests.training.feedback.made import Town
from training.cycle import laying
from training.cycle.places import JobFolder
from training.data.reading import shipped

pytestmark = pytest.mark.slow

# Ends a test that hangs; a machine that is busy with other things is waited for.
PATIENCE = 600.0
ENDED = ("gated", "rejected", "failed", "cancelled", "live", "canary")


def environment(tmp_path: Path, url: str, **more: str) -> dict[str, str]:
    return os.environ | {
        "STORAGE_DIR": str(tmp_path),
        "STORAGE_REDIS_URL": url,
        "STORAGE_LEASE_SECONDS": "0.5",
        "TRAINING_POLL_SECONDS": "0.2",
        "TRAINING_SCHEDULE": "",
        "TRAINING_NICE": "0",
        # A killed trainer's job is free after so long; a live one's sign of life must come through on a busy machine.
        "TRAINING_LEASE_SECONDS": "8",
        "TRAINING_LEAST_THUMBS": "10",
        "TRAINING_PROMPTS": "24",
        "TRAINING_TEXTS": "24",
        "TRAINING_GATE": json.dumps(made.LENIENT),
        **more,
    }


@contextmanager
def trainer(env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", "otklik", "trainer"], env=env, stdout=out, stderr=out)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE)


def brief(folder: Path, method: str) -> Path:
    """The shipped recipe of a method, with few and small steps."""
    recipe = folder / f"{method}.yaml"
    given = yaml.safe_load((laying.SHIPPED / f"{method}_starter.yaml").read_text(encoding="utf-8"))
    recipe.write_text(yaml.safe_dump(given | made.SMALL), encoding="utf-8")
    return recipe


async def order(settings: StorageSettings, job_id: str, *, method: str = "auto", **keys: Any) -> None:
    """A job as the bot adds it, with its sets frozen already."""
    await upgrade(settings.database())
    database = Database(settings.database())
    overrides = {name: str(value) for name, value in (made.SMALL | keys).items()}
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id=job_id, method=method, overrides=overrides), trigger="admin")
        await unit.commit()
    await database.close()


async def row_of(settings: StorageSettings, job_id: str) -> JobRow:
    database = Database(settings.database())
    async with database.view() as unit:
        row = await unit.jobs.get(job_id)
    await database.close()
    assert row is not None
    return row


async def until(settings: StorageSettings, job_id: str, states: tuple[str, ...]) -> JobRow:
    end = time.monotonic() + PATIENCE
    while (row := await row_of(settings, job_id)).state not in states:
        assert time.monotonic() < end, f"the job is {row.state}"
        await asyncio.sleep(0.1)
    return row


async def ordered(settings: StorageSettings) -> str:
    """The id of the job that the trainer orders by itself."""
    database = Database(settings.database())
    end = time.monotonic() + PATIENCE
    while True:
        async with database.view() as unit:
            if jobs := await unit.jobs.last():
                await database.close()
                return jobs[0].job_id
        assert time.monotonic() < end, "no refit was ordered"
        await asyncio.sleep(0.2)


async def reached(far: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not far():
        assert time.monotonic() < end, "it never came so far"
        await asyncio.sleep(0.05)


async def rated(settings: StorageSettings, people: int, each: int) -> int:
    """People who agreed talk and tap; how many thumbs there are."""
    await upgrade(settings.database())
    database = Database(settings.database())
    town = Town(database)
    pairs = [row for row in shipped.pairs(None, load_presets()) if row.tags["split"] == "train"]
    random.Random(3).shuffle(pairs)
    for user in range(1, people + 1):
        await town.person(user)
        await town.chat(user)
        for number in range(each):
            row, good = pairs.pop(), number % 2 == 0
            answer = row.chosen if good else row.rejected
            (name,) = await town.ask(user, row.prompt, answer, emotion=row.emotion, intensity=row.intensity)
            await town.rate(user, user, name, thumb=1 if good else -1)
    await database.close()
    return people * each


async def test_ratings_in_sql_become_an_adapter_with_a_verdict(
    redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings, tmp_path: Path
) -> None:
    count = await rated(storage_settings, people=8, each=6)
    own = f"kto={brief(tmp_path, 'kto')}"
    env = environment(tmp_path, embedded.url, TRAINING_MIN_RATINGS=str(count), TRAINING_RECIPES=own)
    board = LoopBoard(redis, storage_settings)
    with trainer(env, tmp_path / "trainer.log"):
        job_id = await ordered(storage_settings)
        row = await until(storage_settings, job_id, ENDED)
    assert row.state in ("gated", "rejected"), row.error
    assert row.trigger == "ratings"
    folder = JobFolder.of(tmp_path, job_id)
    summary = await board.summary()
    assert summary is not None and summary.method == "kto" and summary.why
    assert summary.rows["liked"] + summary.rows["disliked"] + 12 >= count, "all but those of people held out"
    assert row.method == "kto" and row.verdict is not None and row.adapter_id is not None
    assert row.verdict["reasons_ru"]
    assert folder.report.is_file() and 0 < folder.pictured.stat().st_size <= 200_000
    event = await board.event(job_id)
    assert event is not None and event.state == row.state and event.verdict
    assert await board.picture(job_id) == folder.pictured.read_bytes()
    database = Database(storage_settings.database())
    async with database.view() as unit:
        adapters = await unit.adapters.all()
        states = [change.state for change in await unit.jobs.changes(job_id)]
        learned = [user for user in range(1, 9) if row.adapter_id in await unit.adapters.learned_from(user)]
    await database.close()
    assert [one.adapter_id for one in adapters] == [row.adapter_id] and len(learned) >= 6
    assert adapters[0].prompt and adapters[0].parent is None
    assert adapters[0].base.startswith("starter/base@") and adapters[0].data["base"] == "bundled"
    assert states == ["queued", "preparing", "training", "evaluating", row.state]


async def test_a_refit_killed_with_its_trainer_in_every_step_ends_in_one_adapter(
    redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings, tmp_path: Path
) -> None:
    folder = JobFolder.of(tmp_path, "killed")
    made.freeze(folder)
    await order(storage_settings, "killed", steps=10)
    env = environment(tmp_path, embedded.url)
    checkpoints = folder.run("kto") / "checkpoints"

    async def killed(state: str, far: Callable[[], bool]) -> None:
        with trainer(env, tmp_path / "trainer.log") as one:
            await until(storage_settings, "killed", (state,))
            await reached(far)
            one.send_signal(signal.SIGKILL)
            one.wait()

    await killed("training", lambda: any(checkpoints.glob("checkpoint-[2-9]/trainer_state.json")))
    await killed("evaluating", lambda: any((folder.path / "evaluation").rglob("*.jsonl")))
    with trainer(env, tmp_path / "trainer.log"):
        row = await until(storage_settings, "killed", ENDED)
    assert row.state in ("gated", "rejected"), row.error
    text = (folder.run("kto") / "metrics.jsonl").read_text(encoding="utf-8")
    assert json.loads(text.splitlines()[-1])["step"] == 10
    assert text.count('"desirable_weight"') == 2, "a killed run is gone on with once, a finished one is not begun again"
    database = Database(storage_settings.database())
    async with database.view() as unit:
        assert [one.adapter_id for one in await unit.adapters.all()] == [row.adapter_id]
    await database.close()


@pytest.mark.parametrize(("method", "rows"), [("dpo", 24), ("sft", 24)])
async def test_other_methods_take_the_same_way(
    method: str,
    rows: int,
    redis: Redis,
    embedded: EmbeddedRedis,
    storage_settings: StorageSettings,
    tmp_path: Path,
) -> None:
    folder = JobFolder.of(tmp_path, method)
    made.freeze(folder, thumbs=0, pairs=rows, answers=rows)
    await order(storage_settings, method, method=method)
    # Pairs enough for a preference model, which then has a say; and once through `accelerate launch`.
    own = f"reward={brief(tmp_path, 'reward')}"
    more = {
        "dpo": {"TRAINING_PREFERENCE_PAIRS": "10", "TRAINING_RECIPES": own},
        "sft": {"TRAINING_LAUNCH": "--num_processes 1 --cpu"},
    }
    with trainer(environment(tmp_path, embedded.url, **more.get(method, {})), tmp_path / "trainer.log"):
        row = await until(storage_settings, method, ENDED)
    assert row.state in ("gated", "rejected"), row.error
    assert row.method == method and row.verdict is not None
    assert ("preference" in row.verdict["metrics"]) is (method == "dpo")
