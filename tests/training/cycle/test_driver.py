"""A refit through its states, with pretended steps in real processes: killed, cancelled, contended, failing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.registry import Registry
from storage.settings import StorageSettings
from tests.training.cycle import pretend_trainer
from training.cycle import finishing
from training.cycle.news import News
from training.cycle.places import JobFolder
from training.cycle.running import Running
from training.settings import TrainingSettings

TRAINER = pretend_trainer.__file__
WORKING = ("preparing", "training", "evaluating")
# Each state takes seconds: one in every run, all where slow tests run.
OFTEN = ("training", *(pytest.param(state, marks=pytest.mark.slow) for state in ("preparing", "evaluating")))
SLOW = {"preparing": "prepare", "training": "train", "evaluating": "evaluate"}


@pytest_asyncio.fixture
async def database(storage_settings: StorageSettings) -> AsyncIterator[Database]:
    await upgrade(storage_settings.database())
    found = Database(storage_settings.database())
    yield found
    await found.close()


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    found = JobFolder.of(tmp_path, "job")
    found.make()
    return found


async def add(database: Database, method: str = "auto") -> None:
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="job", method=method), trigger="admin")
        await unit.commit()


async def row(database: Database) -> JobRow:
    async with database.view() as unit:
        found = await unit.jobs.get("job")
    assert found is not None
    return found


async def until(database: Database, wanted: Callable[[JobRow], bool], seconds: float = 120) -> JobRow:
    end = time.monotonic() + seconds
    while not wanted(found := await row(database)):
        assert time.monotonic() < end, f"the job is {found.state}: {found.error}"
        await asyncio.sleep(0.05)
    return found


def is_(*states: str) -> Callable[[JobRow], bool]:
    return lambda found: found.state in states


async def states(database: Database) -> list[str]:
    async with database.view() as unit:
        return [change.state for change in await unit.jobs.changes("job")]


async def adapters(database: Database) -> list[str]:
    async with database.view() as unit:
        return [one.adapter_id for one in await unit.adapters.all()]


def steps(folder: JobFolder) -> list[str]:
    path = folder.path / "done.txt"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def at_work(folder: JobFolder) -> list[int]:
    """Processes of steps in this job's folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if str(folder.path) in line and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


@contextmanager
def trainer(tmp_path: Path, url: str, owner: str, lease: float = 1.0) -> Iterator[subprocess.Popen[bytes]]:
    env = os.environ | {"STORAGE_DIR": str(tmp_path), "STORAGE_REDIS_URL": url}
    with (tmp_path / f"{owner}.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, TRAINER, owner, str(lease)], env=env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def running(
    database: Database, redis: Redis, storage: StorageSettings, **settings: Any
) -> tuple[Running, Callable[[], Coroutine[Any, Any, None]]]:
    """What drives jobs, in this process, and a function that claims and works on one."""
    board = LoopBoard(redis, storage)
    whole = TrainingSettings(**{"lease_seconds": 2.0, "schedule": None, **settings})
    found = Running(
        database=database,
        registry=Registry(database, board, storage),
        news=News(board),
        storage=storage,
        settings=whole,
        owner="here",
        stop=asyncio.Event(),
        program=pretend_trainer.PROGRAM,
    )

    async def work() -> None:
        async with database.unit() as unit:
            claimed = await unit.jobs.claim("here", 2.0)
            await unit.commit()
        assert claimed is not None
        await found.work(claimed)

    return found, work


@pytest.mark.parametrize("state", OFTEN)
async def test_a_killed_trainer_is_followed_by_another_that_goes_on(
    state: str, database: Database, embedded: EmbeddedRedis, folder: JobFolder, tmp_path: Path
) -> None:
    folder.write("behave", {"slow": {SLOW[state]: 1.5}})
    await add(database)
    with trainer(tmp_path, embedded.url, "first") as first:
        await until(database, is_(state))
        await until(database, lambda _: SLOW[state] in steps(folder))
        first.send_signal(signal.SIGKILL)
        first.wait()
        with trainer(tmp_path, embedded.url, "second"):
            found = await until(database, is_("gated", "failed"))
    assert found.state == "gated", found.error
    assert len(await adapters(database)) == 1 and found.adapter_id == (await adapters(database))[0]
    assert await states(database) == ["queued", *WORKING, "gated"]
    done = steps(folder)
    assert done.count(SLOW[state]) == 2 and len(done) == 4, "only the step that was cut off is done again"


@pytest.mark.parametrize("state", OFTEN)
async def test_a_cancelled_job_ends_in_every_state_and_nothing_runs_on(
    state: str, database: Database, embedded: EmbeddedRedis, folder: JobFolder, tmp_path: Path
) -> None:
    folder.write("behave", {"slow": {SLOW[state]: 30.0}})
    await add(database)
    with trainer(tmp_path, embedded.url, "only"):
        await until(database, is_(state))
        await until(database, lambda _: SLOW[state] in steps(folder))
        async with database.unit() as unit:
            assert await unit.jobs.ask_cancel("job")
            await unit.commit()
        found = await until(database, is_("cancelled"))
        assert at_work(folder) == []
    assert found.owner is None and await adapters(database) == []


async def test_a_job_that_waits_is_cancelled_at_once(database: Database) -> None:
    await add(database)
    async with database.unit() as unit:
        await unit.jobs.ask_cancel("job")
        await unit.commit()
    assert (await row(database)).state == "cancelled"


async def test_two_trainers_never_do_the_same_step(
    database: Database, embedded: EmbeddedRedis, folder: JobFolder, tmp_path: Path
) -> None:
    folder.write("behave", {"slow": {"prepare": 0.5, "train": 0.5, "evaluate": 0.5}})
    await add(database)
    with trainer(tmp_path, embedded.url, "one"), trainer(tmp_path, embedded.url, "two"):
        await until(database, is_("gated"))
    assert steps(folder) == ["prepare", "train", "evaluate"]


async def test_a_trainer_that_lost_its_lease_stops_its_step_and_changes_nothing(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    folder.write("behave", {"slow": {"train": 30.0}})
    await add(database)
    _, work = running(database, redis, storage_settings)
    task = asyncio.create_task(work())
    await until(database, is_("training"))
    async with database.unit() as unit:
        taken = await unit.jobs.lock("job")
        assert taken is not None
        taken.owner = "somebody else"
        await unit.commit()
    await asyncio.wait_for(task, 10)
    found = await row(database)
    assert (found.state, found.owner) == ("training", "somebody else")
    assert at_work(folder) == []


async def test_a_stopping_trainer_hands_its_job_over_at_once(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    folder.write("behave", {"slow": {"train": 4.0}})
    await add(database)
    found, work = running(database, redis, storage_settings)
    task = asyncio.create_task(work())
    await until(database, lambda one: one.state == "training" and (one.attempts, bool(one.step)) >= (1, False))
    found.stop.set()
    await asyncio.wait_for(task, 10)
    left = await row(database)
    assert (left.state, left.owner, left.attempts) == ("training", None, 0)
    folder.write("behave", {})
    found.stop.clear()
    await asyncio.wait_for(work(), 20)
    assert (await row(database)).state == "gated"


@pytest.mark.parametrize(
    ("step", "fault", "words"),
    [
        ("prepare", "few", "нужно ещё 40"),
        ("prepare", "recipe", "rows must be a number"),
        ("train", "disk", "is full: free some space"),
        ("train", "recipe", "rows must be a number"),
        ("evaluate", "disk", "is full"),
    ],
)
async def test_a_fault_ends_the_job_with_one_line_and_leaves_serving_alone(
    step: str,
    fault: str,
    words: str,
    database: Database,
    redis: Redis,
    storage_settings: StorageSettings,
    folder: JobFolder,
) -> None:
    folder.write("behave", {"fault": {step: fault}})
    await add(database)
    _, work = running(database, redis, storage_settings)
    await work()
    found = await row(database)
    assert found.state == "failed" and found.error is not None
    assert words in found.error and "\n" not in found.error and "Traceback" not in found.error
    assert await adapters(database) == []
    async with database.view() as unit:
        assert list(await unit.slots.all()) == []


@pytest.mark.parametrize("fault", ["crash", "bug"])
async def test_what_may_be_chance_is_tried_again_and_given_up_after_three(
    fault: str, database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    folder.write("behave", {"fault": {"prepare": fault}})
    await add(database)
    _, work = running(database, redis, storage_settings)
    for _ in range(2):
        await work()
        assert (await row(database)).state == "preparing"
    await work()
    found = await row(database)
    assert found.state == "failed" and steps(folder) == ["prepare"] * 3
    assert found.error is not None and ("status 9" if fault == "crash" else "division by zero") in found.error


async def test_a_job_whose_trainers_all_died_is_given_up(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    await add(database)
    for number in range(3):
        async with database.unit() as unit:
            assert await unit.jobs.claim(f"dead {number}", -1.0) is not None
            await unit.commit()
    _, work = running(database, redis, storage_settings)
    await work()
    found = await row(database)
    assert found.state == "failed" and "3 attempts" in str(found.error) and steps(folder) == []


async def test_progress_makes_attempts_count_anew(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    folder.write("behave", {"fault": {"train": "crash"}})
    await add(database)
    _, work = running(database, redis, storage_settings)
    await work()
    assert (await row(database)).attempts == 1  # sets were frozen: that is progress
    await work()
    assert (await row(database)).attempts == 2


async def test_a_refit_over_its_memory_is_stopped_and_says_so(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    folder.write("behave", {"fault": {"train": "greedy"}})
    await add(database)
    _, work = running(database, redis, storage_settings, memory_mb=300)
    await work()
    found = await row(database)
    assert found.state == "failed" and "TRAINING_MEMORY_MB allows 300" in str(found.error)
    assert at_work(folder) == []


@pytest.mark.parametrize(
    ("passed", "settings", "state", "active"),
    [
        (True, {}, "gated", False),
        (False, {}, "rejected", False),
        (False, {"auto_promote": True}, "rejected", False),
        (True, {"auto_promote": True}, "live", True),
        (True, {"auto_canary": True, "canary_share": 0.2}, "canary", False),
    ],
)
async def test_the_verdict_and_the_settings_decide_who_meets_the_adapter(
    passed: bool,
    settings: dict[str, Any],
    state: str,
    active: bool,
    database: Database,
    redis: Redis,
    storage_settings: StorageSettings,
    folder: JobFolder,
) -> None:
    folder.write("behave", {"passed": passed})
    await add(database)
    found, work = running(database, redis, storage_settings, **settings)
    await work()
    ended = await row(database)
    assert ended.state == state and ended.verdict is not None and ended.method == "kto"
    serving = await found.news.board.serving() if found.news.board else None
    slots = {one.name: one for one in serving.slots} if serving else {}
    assert (slots.get("shared") is not None and slots["shared"].active == ended.adapter_id) is active
    if state == "canary":
        assert (slots["shared"].canary, slots["shared"].share) == (ended.adapter_id, 0.2)
    event = await LoopBoard(redis, storage_settings).event("job")
    assert event is not None and event.state == state and event.verdict in ("стало лучше", "лучше не стало")
    assert await LoopBoard(redis, storage_settings).picture("job") == b"picture"


async def test_somebody_forgotten_meanwhile_is_not_in_what_comes_out(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    folder.write("behave", {"slow": {"train": 1.0}, "people": [1, 2]})
    await add(database)
    _, work = running(database, redis, storage_settings)
    task = asyncio.create_task(work())
    await until(database, is_("training"))
    folder.write("behave", {"people": [1]})
    async with database.unit() as unit:
        await unit.people.forget(2)
        await unit.commit()
    await asyncio.wait_for(task, 20)
    found = await row(database)
    assert found.state == "gated" and steps(folder).count("prepare") == 2
    async with database.view() as unit:
        assert await unit.adapters.learned_from(2) == []
        adapter = await unit.adapters.get(str(found.adapter_id))
    assert adapter is not None and adapter.tainted_at is None


async def test_a_crash_between_registry_and_row_leaves_one_adapter_and_one_verdict(
    database: Database,
    redis: Redis,
    storage_settings: StorageSettings,
    folder: JobFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await add(database)
    _, work = running(database, redis, storage_settings, auto_promote=True)

    async def fall(*_: Any) -> JobState:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(finishing, "_next", fall)
        with pytest.raises(ConnectionResetError):
            await work()
    assert len(await adapters(database)) == 1 and (await row(database)).state == "evaluating"
    await work()
    found = await row(database)
    assert found.state == "live" and await adapters(database) == [found.adapter_id]
    assert await states(database) == ["queued", *WORKING, "live"] and steps(folder) == ["prepare", "train", "evaluate"]
    async with database.view() as unit:
        assert [change.action for change in await unit.slots.history("shared")] == ["promote"]


async def test_a_slot_of_its_own_gets_its_own_adapter(
    database: Database, redis: Redis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="job", method="auto"), trigger="admin", slot="joy")
        await unit.commit()
    _, work = running(database, redis, storage_settings, auto_promote=True)
    await work()
    found = await row(database)
    async with database.view() as unit:
        slots = {slot.name: slot.active for slot in await unit.slots.all()}
    assert found.state == "live" and slots == {"joy": found.adapter_id}


async def test_redis_away_holds_no_refit_up(
    database: Database, redis: Redis, embedded: EmbeddedRedis, storage_settings: StorageSettings, folder: JobFolder
) -> None:
    await add(database)
    _, work = running(database, redis, storage_settings)
    await embedded.kill()
    await asyncio.wait_for(work(), 60)
    assert (await row(database)).state == JobState.GATED
    await embedded.start()
