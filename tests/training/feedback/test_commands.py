"""`otklik data feedback …` on a real database and real files, and the summary that people read."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from otklik.adapters import main as adapters
from storage.contracts import RatingSource
from storage.database import Database, upgrade
from storage.presets import load_presets
from storage.registry import Registry
from storage.settings import StorageSettings
from tests.storage.adapter_folders import lora
from tests.training.feedback.made import Town, entry, given, judged, log_of
from training.cli import data
from training.cycle import preparing
from training.cycle.order import Order
from training.data.feedback import FeedbackRules, export_log, freeze, import_log, to_summary
from training.data.feedback.summary import KINDS, REASONS, lines
from training.recipes import RecipeError
from training.settings import TrainingSettings

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage folder where two people have said something, one of whom agreed."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    asyncio.run(_fill(StorageSettings().database()))
    return tmp_path


async def _fill(url: str) -> None:
    await upgrade(url)
    database = Database(url)
    town = Town(database)
    for user_id, agrees in ((7_000_000_001, True), (7_000_000_002, False)):
        await town.person(user_id, agrees)
        await town.chat(user_id)
        first, second = await town.ask(user_id, "Как дела?", "Так себе.", "Прекрасно, я пою!")
        await town.rate(user_id, user_id, first, thumb=-1)
        await town.rate(user_id, user_id, second, preferred_over=first, source=RatingSource.REGENERATE)
        (sad,) = await town.ask(user_id, "Что грустишь?", "Дождь идёт.", emotion="sadness")
        await town.rate(user_id, user_id, sad, thumb=1)
    await database.close()


def test_build_writes_sets_and_says_what_it_did(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(["feedback", "build", "--out", "sets", "--language", "ru"]) == 0
    told = capsys.readouterr().out
    assert "Оценок: 3, людей в наборах: 1" in told
    assert "нет согласия участника диалога 2" in told
    assert (installed / "sets" / "pairs" / "train.jsonl").is_file()


def test_one_emotion_by_its_russian_name(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(["feedback", "summary", "--emotion", "грусть", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["rows"]["feedback"], counts["rows"]["pairs"]) == (1, 0)


def test_an_exported_log_names_nobody_and_can_be_imported(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(["feedback", "export", "--out", "log.jsonl"]) == 0
    written = (installed / "log.jsonl").read_text(encoding="utf-8")
    assert "700000000" not in written and "Прекрасно, я пою!" in written
    assert (installed / "log.jsonl").stat().st_mode & 0o077 == 0
    assert data(["feedback", "import", "log.jsonl", "--out", "again", "--rule", "held_out=0"]) == 0
    assert "pairs: 1" in capsys.readouterr().out


def test_the_same_key_gives_the_same_names(installed: Path) -> None:
    (installed / "key").write_bytes(b"secret")
    for name in ("one", "two"):
        assert data(["feedback", "export", "--out", name, "--key", "key"]) == 0
    assert (installed / "one").read_bytes() == (installed / "two").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["build", "--out", "here", "--emotion", "тоска"], "no preset 'тоска'"),
        (["build", "--out", "here", "--rule", "one_sided=0", "--rule", "odd=1"], "one_sided"),
        (["import", "missing.jsonl", "--out", "here"], "missing.jsonl"),
        (["build", "--out", "."], "holds other things"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(
    installed: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert data(["feedback", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_bad_lines_are_told_by_line_and_field_and_lose_nothing_else(tmp_path: Path) -> None:
    good = entry(given("a", "Я рад!", judged("1", thumb=1)))
    with log_of(good) as log:
        export_log(log, tmp_path / "log.jsonl")
    line = (tmp_path / "log.jsonl").read_text(encoding="utf-8")
    wrong = json.loads(line)
    del wrong["emotion"]
    wrong["answers"][0]["judgements"][0]["thumb"] = 5
    whole = ["not json", json.dumps(wrong), "", line]
    (tmp_path / "log.jsonl").write_text("\n".join(whole), encoding="utf-8")
    with import_log(tmp_path / "log.jsonl") as log:
        assert len(log) == 1
        assert log.counts["bad_line"] == 2
        assert log.faults[0].startswith("line 1, the line: ")
        assert log.faults[1] == "line 2, emotion: Field required"
        assert log.faults[2].startswith("line 2, answers.0.judgements.0.thumb: ")


def test_a_log_without_a_good_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="line 1, person: Field required"):
        import_log(tmp_path / "log.jsonl")


def test_importing_the_same_line_twice_counts_it_once(tmp_path: Path) -> None:
    with log_of(entry(given("a", "Я рад!", judged("1", thumb=1)))) as log:
        export_log(log, tmp_path / "log.jsonl")
    line = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "log.jsonl").write_bytes(line + line)
    with import_log(tmp_path / "log.jsonl") as log:
        assert (len(log), log.counts["duplicate_entry"]) == (1, 1)


def test_a_refit_gets_its_sets_as_json(installed: Path) -> None:
    order = Order(job_id="job", base="bundled", settings=TrainingSettings(feedback={"held_out": 0}))
    told = preparing.freeze(installed / "sets", StorageSettings(), order, load_presets())
    assert json.loads(json.dumps(told)) == told
    assert told["people"] == [7_000_000_001]
    assert sorted(path.name for path in map(Path, filter(None, told["folders"].values()))) != []
    assert told["counts"]["rows"]["pairs"] == 1


def test_an_adapter_that_was_trained_by_hand_is_tainted_by_who_is_forgotten(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data(["feedback", "build", "--out", "sets", "--rule", "held_out=0"]) == 0
    folder, other = lora(installed / "by-hand", b"a"), lora(installed / "nobodys", b"b")
    capsys.readouterr()
    assert adapters(["add", str(folder), "--base", "starter", "--sets", "sets"]) == 0
    assert "People here that it learned from: 1" in capsys.readouterr().out
    assert adapters(["add", str(other), "--base", "starter"]) == 0
    assert "Nobody's /forget reaches it" in capsys.readouterr().out
    assert asyncio.run(_tainted_by(7_000_000_001)) == {str(folder): True, str(other): False}
    assert adapters(["add", str(folder), "--base", "starter", "--sets", "var"]) == 1
    assert "holds no set" in capsys.readouterr().err
    (installed / "sets" / "pseudonyms.key").unlink()
    assert adapters(["add", str(folder), "--base", "starter", "--sets", "sets/pairs"]) == 1
    assert "there is no pseudonyms.key" in capsys.readouterr().err


async def _tainted_by(user_id: int) -> dict[str, bool]:
    """Adapters by the folder that they were made from: is it tainted once this person is forgotten?"""
    settings = StorageSettings()
    database = Database(settings.database())
    await Registry(database, None, settings).taint(user_id)
    async with database.view() as unit:
        rows = await unit.adapters.all()
    await database.close()
    stored = {hashlib.sha256((Path(row.location) / WEIGHTS).read_bytes()).digest(): row for row in rows}
    folders = [place.parent for place in Path.cwd().glob(f"*/{WEIGHTS}")]
    return {
        str(place): stored[hashlib.sha256((place / WEIGHTS).read_bytes()).digest()].tainted_at is not None
        for place in folders
    }


def test_the_summary_for_admins(tmp_path: Path) -> None:
    one = entry(given("a", "Так себе.", judged("1", thumb=-1)), given("b", "Ура, весна!", judged("1", thumb=1)))
    with log_of(one) as log:
        sets = freeze(log, tmp_path / "sets", FeedbackRules(held_out=0))
    summary = to_summary(sets.counts)
    assert summary.rows == {"pairs": 0, "reward": 1, "answers": 0, "ai_pairs": 0, "liked": 1, "disliked": 1}
    assert (summary.people, summary.ratings) == (1, 2)
    assert summary.at <= datetime.now(UTC)


def test_every_reason_and_kind_has_both_languages(tmp_path: Path) -> None:
    with log_of() as log:
        sets = freeze(log, tmp_path / "sets")
    for language in ("ru", "en"):
        found = lines(sets.counts, language)
        assert len(found) == 1 + len(KINDS)
    assert all(russian and english for russian, english in REASONS.values())
