"""What is thrown away, that nobody's words stay who asked to be forgotten, and what a refit goes on from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.registry import Registry
from storage.settings import StorageSettings
from tests.training.cycle import made
from training.cycle import forgetting, start, tidying
from training.cycle.order import Weights
from training.cycle.places import JobFolder
from training.settings import TrainingSettings


@pytest.fixture
def storage(tmp_path: Path) -> StorageSettings:
    return StorageSettings(dir=tmp_path)


@pytest_asyncio.fixture
async def database(storage: StorageSettings) -> AsyncIterator[Database]:
    await upgrade(storage.database())
    found = Database(storage.database())
    yield found
    await found.close()


def whole(storage: StorageSettings, job_id: str) -> JobFolder:
    """A job's folder with everything that a refit leaves."""
    folder = JobFolder.of(storage.dir, job_id)
    made.freeze(folder, thumbs=20)
    for place in ("mixed_kto", "runs/kto-refit/tokens", "runs/kto-refit/checkpoints", "evaluation/samples"):
        (folder.path / place).mkdir(parents=True)
        (folder.path / place / "rows.jsonl").write_text("слова человека", encoding="utf-8")
    for name in ("verdict", "plan"):
        folder.write(name, {"passed": True})
    folder.report.write_text("# Refit")
    return folder


def holds_words(folder: JobFolder) -> bool:
    return any("слова" in path.read_text(encoding="utf-8") for path in folder.path.rglob("*.jsonl"))


async def test_sets_of_a_forgotten_person_go_and_verdicts_stay(database: Database, storage: StorageSettings) -> None:
    folder = whole(storage, "old")
    assert await forgetting.purge_all(database, storage.dir, set()) == []
    async with database.unit() as unit:
        await unit.people.forget(2)
        await unit.people.forget(99)
        await unit.commit()
    assert await forgetting.purge_all(database, storage.dir, {"old"}) == [], "a job at work looks after itself"
    assert await forgetting.purge_all(database, storage.dir, set()) == ["old"]
    assert not holds_words(folder) and not folder.sets.exists()
    assert folder.report.exists() and folder.read("verdict") is not None
    assert await forgetting.purge_all(database, storage.dir, set()) == []


async def test_somebody_forgotten_before_is_not_in_newer_sets(database: Database, storage: StorageSettings) -> None:
    async with database.unit() as unit:
        await unit.people.forget(2)
        await unit.commit()
    folder = whole(storage, "newer")  # they came back, agreed anew, and rated
    assert await forgetting.concerns(database, folder) == set()


async def test_old_jobs_keep_their_verdict_only(database: Database, storage: StorageSettings) -> None:
    for number in range(4):
        async with database.unit() as unit:
            await unit.jobs.add(TrainJob(job_id=f"job-{number}", method="auto"), trigger="admin")
            await unit.jobs.move(f"job-{number}", JobState.REJECTED)
            await unit.commit()
        whole(storage, f"job-{number}")
    settings = TrainingSettings(schedule=None, keep_jobs=2)
    await tidying.tidy(database, Registry(database, None, storage), storage, settings)
    kept = [holds_words(JobFolder.of(storage.dir, f"job-{number}")) for number in range(4)]
    assert kept == [False, False, True, True]
    assert JobFolder.of(storage.dir, "job-0").read("verdict") is not None


def test_a_job_id_is_never_a_way_out_of_the_folder(tmp_path: Path) -> None:
    for name in ("../x", "a/b", "", ".hidden", "x" * 65):
        with pytest.raises(ValueError, match="job id"):
            JobFolder.of(tmp_path, name)


async def promoted(database: Database, storage: StorageSettings, people: tuple[int, ...] = (1,)) -> str:
    from models.settings import STARTER

    registry = Registry(database, None, storage)
    row = await registry.add(STARTER / "adapter", kind="lora", base="bundled", method="kto", people=people)
    await registry.promote(row.adapter_id)
    return row.adapter_id


async def test_a_refit_goes_on_from_what_answers_and_is_compared_with_it(
    database: Database, storage: StorageSettings
) -> None:
    begun, incumbent, remarks = await start.weights(database, storage, "shared", "bundled")
    assert begun == incumbent and begun.adapter_id is None and not remarks
    assert begun.folder is not None and begun.folder.name == "adapter"
    name = await promoted(database, storage)
    begun, incumbent, remarks = await start.weights(database, storage, "joy", "bundled")
    assert begun == incumbent and begun.adapter_id == name and not remarks
    assert begun.folder is not None and (begun.folder / "adapter_model.safetensors").is_file()


async def test_a_tainted_adapter_is_left_out_and_people_are_told_why(
    database: Database, storage: StorageSettings
) -> None:
    name = await promoted(database, storage, people=(1, 2))
    await Registry(database, None, storage).taint(2)
    begun, incumbent, remarks = await start.weights(database, storage, "shared", "bundled")
    assert begun.adapter_id is None and incumbent.adapter_id is None
    assert name in remarks[0][0] and "забыть" in remarks[0][0] and "forgotten" in remarks[0][1]


@pytest.mark.parametrize(
    ("made_for", "base", "same"),
    [
        ("bundled", "bundled", True),
        ("starter/base@523da4f8", "bundled", True),
        ("/elsewhere/models/starter/base", "bundled", True),
        ("models/starter/base", "bundled", True),
        ("owner/model", "bundled", False),
        ("/data/other/base", "bundled", False),
        ("owner/model@0123abcd", "owner/model", True),
        ("owner/model", "owner/model-large", False),
    ],
)
def test_a_base_is_known_by_any_of_its_names(made_for: str, base: str, same: bool) -> None:
    assert start.same_base(made_for, base) is same


async def test_an_adapter_of_another_base_or_gone_from_the_store_is_left_out(
    database: Database, storage: StorageSettings
) -> None:
    import shutil

    await promoted(database, storage)
    begun, _, remarks = await start.weights(database, storage, "shared", "owner/other")
    assert begun.folder is None and "another base" in remarks[0][1]
    shutil.rmtree(storage.dir / "adapters")
    begun, _, remarks = await start.weights(database, storage, "shared", "bundled")
    assert begun.adapter_id is None and "cannot be read" in remarks[0][1]


async def test_the_first_version_is_what_the_worker_has_by_itself(database: Database, storage: StorageSettings) -> None:
    _, incumbent, _ = await start.weights(database, storage, "shared", "bundled")
    assert await start.anchor(database, storage, "shared", "bundled", incumbent) is None, "it is compared with anyway"
    await promoted(database, storage)
    _, incumbent, _ = await start.weights(database, storage, "joy", "bundled")
    first = await start.anchor(database, storage, "joy", "bundled", incumbent)
    assert first is not None and first.adapter_id is None and first.folder is not None


async def test_without_an_adapter_of_its_own_the_first_version_is_the_first_that_answered(
    database: Database, storage: StorageSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "by_itself", lambda base: Weights())
    first = await promoted(database, storage)
    _, incumbent, _ = await start.weights(database, storage, "shared", "bundled")
    assert await start.anchor(database, storage, "shared", "bundled", incumbent) is None
    registry = Registry(database, None, storage)
    await registry.promote(None)
    _, bare, _ = await start.weights(database, storage, "shared", "bundled")
    found = await start.anchor(database, storage, "shared", "bundled", bare)
    assert found is not None and found.adapter_id == first
    await registry.taint(1)
    assert await start.anchor(database, storage, "shared", "bundled", bare) is None, "the bare base is left"


@pytest.mark.parametrize(
    ("metrics", "worn"),
    [
        ({}, False),
        ({"perplexity": {"bound": 0.19, "limit": 0.2}}, False),
        ({"anchor_perplexity": {"bound": 0.1, "limit": 0.2}}, False),
        ({"anchor_perplexity": {"bound": 0.19, "limit": 0.2}}, True),
        ({"anchor_perplexity": {"bound": None, "limit": 0.2}}, False),
    ],
)
async def test_who_drifted_far_is_compared_with_but_not_gone_on_from(
    metrics: dict[str, Any], worn: bool, database: Database, storage: StorageSettings
) -> None:
    from models.settings import STARTER

    registry = Registry(database, None, storage)
    row = await registry.add(STARTER / "adapter", kind="lora", base="bundled", method="kto", metrics=metrics)
    await registry.promote(row.adapter_id)
    begun, incumbent, remarks = await start.weights(database, storage, "shared", "bundled")
    assert incumbent.adapter_id == row.adapter_id
    assert begun.adapter_id == (None if worn else row.adapter_id) and bool(remarks) is worn
    if worn:
        assert "далеко ушёл" in remarks[0][0] and "drifted" in remarks[0][1]
