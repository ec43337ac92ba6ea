"""`otklik train cycle` in the terminal, and what the panel is told; real feedback from SQL, no training."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.contracts import TrainJob
from storage.database import Database, upgrade
from storage.presets import load_presets
from storage.repositories.presets import PresetBook
from storage.settings import StorageSettings
from tests.training.cycle import pretend_trainer
from tests.training.feedback.made import Town
from training import cli
from training.cycle import command, preparing
from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.cycle.running import Running
from training.cycle.summing import Summing
from training.data import sets
from training.data.feedback.commands import feedback
from training.data.rows import Row
from training.settings import TrainingSettings


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorageSettings:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))
    monkeypatch.setenv("TRAINING_SCHEDULE", "")
    return StorageSettings()


async def rated(storage: StorageSettings, people: int = 6, each: int = 6, first: int = 1) -> None:
    await upgrade(storage.database())
    database = Database(storage.database())
    town = Town(database)
    for user in range(first, first + people):
        await town.person(user)
        await town.chat(user)
        for number in range(each):
            (name,) = await town.ask(user, f"Вопрос номер {user}-{number}?", f"Ответ на {user}-{number}, вот такой.")
            await town.rate(user, user, name, thumb=1 if number % 2 else -1)
    await database.close()


def test_a_dry_run_tells_what_there_is_and_what_is_missing(
    storage: StorageSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(rated(storage))
    assert cli.train(["cycle", "--dry-run"]) == 1
    shown = capsys.readouterr().out
    assert "method: nothing" in shown and "more thumbs" in shown
    monkeypatch.setenv("TRAINING_LEAST_THUMBS", "10")
    assert cli.train(["cycle", "--dry-run", "--language", "ru"]) == 0
    shown = capsys.readouterr().out
    assert "method: kto" in shown and "хватает для KTO" in shown
    left = [path.name for path in storage.dir.iterdir() if path.name.startswith("counting")]
    assert not left, "nobody's words are left behind"


def test_a_feedback_log_is_replayed_in_place_of_sql(
    storage: StorageSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another installation: nobody has said anything in this one."""
    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("TRAINING_LEAST_THUMBS", "10")
    asyncio.run(rated(storage))
    assert feedback(["export", "--out", str(log)]) == 0
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "elsewhere"))
    assert cli.train(["cycle", "--dry-run"]) == 1
    capsys.readouterr()
    assert cli.train(["cycle", "--dry-run", "--log", str(log)]) == 0
    shown = capsys.readouterr().out
    assert "method: kto" in shown and "people: 6" in shown
    assert cli.train(["cycle", "--dry-run", "--log", str(tmp_path / "none.jsonl")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert run(monkeypatch, "--log", str(log)) == 0
    (job,) = (tmp_path / "elsewhere" / "jobs").iterdir()
    assert JobFolder(job).read("job")["log"] == str(log)  # type: ignore[index]


async def nostalgic(storage: StorageSettings) -> None:
    """An emotion that an operator added in Telegram, and people who judged answers in it."""
    await upgrade(storage.database())
    database = Database(storage.database())
    added = load_presets().get("joy").model_copy(update={"id": "nostalgia", "title": "ностальгия"})
    async with database.unit() as unit:
        await PresetBook(unit.session).put("nostalgia", added.model_dump(mode="json"), by=7)
        await PresetBook(unit.session).switch("anger", False, by=7)
        await unit.commit()
    town = Town(database)
    for user in range(1, 7):
        await town.person(user)
        await town.chat(user)
        for number in range(4):
            said = f"Ответ на {user}-{number}, вот такой."
            emotion = "nostalgia" if number else "anger"
            (name,) = await town.ask(user, f"Вопрос номер {user}-{number}?", said, emotion=emotion)
            await town.rate(user, user, name, thumb=1 if number % 2 else -1)
    await database.close()


def test_a_refit_knows_the_emotions_that_operators_added_and_switched_off(storage: StorageSettings) -> None:
    asyncio.run(nostalgic(storage))
    folder = JobFolder.of(storage.dir, "job")
    folder.make()
    settings = TrainingSettings(least_thumbs=5, feedback={"held_out": 0.0})
    choice = preparing.prepare(folder, Order(job_id="job", base="bundled", settings=settings), storage)
    assert choice.method == "kto"
    rows = list(sets.load(folder.path / "sets" / "feedback").train(Row))
    assert rows and {row.emotion for row in rows} == {"nostalgia"}
    # Whatever an operator changes meanwhile, every step of this refit renders with the same emotions.
    asyncio.run(removed(storage))
    known = preparing.emotions(folder, storage)
    assert known.get("nostalgia").title == "ностальгия"
    assert load_presets(folder.path / "presets.json") == known, "a run by hand reads the same file"


async def removed(storage: StorageSettings) -> None:
    database = Database(storage.database())
    async with database.unit() as unit:
        await PresetBook(unit.session).remove("nostalgia")
        await unit.commit()
    await database.close()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command with pretended steps."""
    monkeypatch.setattr(command, "Running", _pretending)
    return cli.train(["cycle", *arguments])


def _pretending(**given: object) -> Running:
    return Running(**given, program=pretend_trainer.PROGRAM)  # type: ignore[arg-type]


def test_one_refit_in_the_foreground_prints_its_verdict(
    storage: StorageSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == 0
    shown = capsys.readouterr()
    assert "gated" in shown.out and "report.md" in shown.out and "old against new" in shown.err
    assert run(monkeypatch) == 2, "the slot waits for an admin"
    assert "waits for an admin" in capsys.readouterr().err


def test_what_passes_answers_at_once_where_that_was_asked_for(
    storage: StorageSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--auto-promote") == 0
    assert ": live" in capsys.readouterr().out


def test_a_wrong_override_is_one_line(
    storage: StorageSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--set", "steps") == 2
    assert capsys.readouterr().err.strip().splitlines()[-1] == "--set steps: write it as key=value"


def test_a_job_that_nobody_holds_is_gone_on_with(
    storage: StorageSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def leave() -> None:
        await upgrade(storage.database())
        database = Database(storage.database())
        async with database.unit() as unit:
            await unit.jobs.add(TrainJob(job_id="left", method="auto"), trigger="admin")
            await unit.commit()
        await database.close()

    asyncio.run(leave())
    assert run(monkeypatch) == 0
    assert "going on with left" in capsys.readouterr().err


async def test_the_panel_is_told_what_there_is_whenever_somebody_rated(storage: StorageSettings) -> None:
    await rated(storage)
    database = Database(storage.database())
    summing = Summing(database, storage, TrainingSettings(least_thumbs=10))
    env = {"STORAGE_DIR": str(storage.dir.absolute())}
    found = await summing.look(env)
    assert found is not None and found.method == "kto" and found.why
    assert found.ratings == 36 and 20 <= found.rows["liked"] + found.rows["disliked"] <= 36
    assert not (storage.dir / "training" / "summary" / "sets").exists()
    summing.next = 0.0
    assert await summing.look(env) is None, "nothing changed"
    await rated(storage, people=2, first=50)
    more = await summing.look(env)
    assert more is not None and more.ratings == 48
    await database.close()
