"""The whole way of a refit in its smallest form, through the real trainer process, with real Redis and SQLite."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from storage.contracts import TrainJob
from storage.database import Database, upgrade
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.settings import StorageSettings
from tests.training.cycle import made
from training.cycle.places import JobFolder

pytestmark = pytest.mark.slow

ENDED = ("gated", "rejected", "failed", "cancelled", "live", "canary")


def environment(tmp_path: Path, url: str, **more: str) -> dict[str, str]:
    return os.environ | {
        "STORAGE_DIR": str(tmp_path),
        "STORAGE_REDIS_URL": url,
        "STORAGE_LEASE_SECONDS": "0.5",
        "TRAINING_POLL_SECONDS": "0.2",
        "TRAINING_SCHEDULE": "",
        "TRAINING_LEASE_SECONDS": "3",
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
                process.wait(20)


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


async def until(settings: StorageSettings, job_id: str, states: tuple[str, ...], seconds: float = 120) -> JobRow:
    end = time.monotonic() + seconds
    while (row := await row_of(settings, job_id)).state not in states:
        assert time.monotonic() < end, f"the job is {row.state}"
        await asyncio.sleep(0.1)
    return row


async def reached(far: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not far():
        assert time.monotonic() < end, "it never came so far"
        await asyncio.sleep(0.05)


async def test_thumbs_become_an_adapter_with_a_verdict(
    redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings, tmp_path: Path
) -> None:
    folder = JobFolder.of(tmp_path, "first")
    made.freeze(folder)
    await order(storage_settings, "first")
    with trainer(environment(tmp_path, embedded.url), tmp_path / "trainer.log"):
        row = await until(storage_settings, "first", ENDED)
    assert row.state in ("gated", "rejected"), row.error
    assert row.method == "kto" and row.verdict is not None and row.adapter_id is not None
    assert row.verdict["reasons_ru"]
    assert folder.report.is_file() and 0 < folder.pictured.stat().st_size <= 200_000
    board = LoopBoard(redis, storage_settings)
    event = await board.event("first")
    assert event is not None and event.state == row.state and event.verdict
    assert await board.picture("first") == folder.pictured.read_bytes()
    database = Database(storage_settings.database())
    async with database.view() as unit:
        adapters = await unit.adapters.all()
        states = [change.state for change in await unit.jobs.changes("first")]
        assert await unit.adapters.learned_from(2) == [row.adapter_id]
    await database.close()
    assert [one.adapter_id for one in adapters] == [row.adapter_id]
    assert adapters[0].prompt and adapters[0].parent is None and adapters[0].base == "bundled"
    assert states == ["queued", "preparing", "training", "evaluating", row.state]


@pytest.mark.parametrize("state", ["training", "evaluating"])
async def test_a_refit_killed_with_its_trainer_ends_in_one_adapter(
    state: str, redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings, tmp_path: Path
) -> None:
    folder = JobFolder.of(tmp_path, "killed")
    made.freeze(folder)
    await order(storage_settings, "killed", steps=10)
    env = environment(tmp_path, embedded.url)
    checkpoints = folder.run("kto") / "checkpoints"

    def far() -> bool:
        if state == "training":
            return any(checkpoints.glob("checkpoint-[2-9]/trainer_state.json"))
        return any((folder.path / "evaluation").rglob("*.jsonl"))

    with trainer(env, tmp_path / "trainer.log") as first:
        await until(storage_settings, "killed", (state,))
        await reached(far)
        first.send_signal(signal.SIGKILL)
        first.wait()
    with trainer(env, tmp_path / "trainer.log"):
        row = await until(storage_settings, "killed", ENDED)
    assert row.state in ("gated", "rejected"), row.error
    run = json.loads((folder.run("kto") / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert run["step"] == 10
    text = (folder.run("kto") / "metrics.jsonl").read_text(encoding="utf-8")
    assert text.count('"desirable_weight"') == (2 if state == "training" else 1), "a finished run is not begun again"
    database = Database(storage_settings.database())
    async with database.view() as unit:
        assert [one.adapter_id for one in await unit.adapters.all()] == [row.adapter_id]
    await database.close()


@pytest.mark.parametrize(("method", "rows"), [("dpo", 24), ("simpo", 24), ("sft", 24)])
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
    # Pairs enough for a preference model, which then has a say.
    more = {"TRAINING_PREFERENCE_PAIRS": "10"} if method == "dpo" else {}
    with trainer(environment(tmp_path, embedded.url, **more), tmp_path / "trainer.log"):
        row = await until(storage_settings, method, ENDED)
    assert row.state in ("gated", "rejected"), row.error
    assert row.method == method and row.verdict is not None
    assert ("preference" in row.verdict["metrics"]) is (method == "dpo")
