"""`otklik evaluate` as an operator sees it, on the bundled starter."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest

from otklik.__main__ import main
from tests.training.evaluation.answers import different
from training.data.sets import PreparedSet
from training.evaluation import answering, samples

SYSTEMS = ["--system", "base=bundled", "--system", "tuned=bundled+bundled"]
# What needs no encoder; twelve tokens are enough to tell.
QUICK = ["--prompts", "24", "--most", "12", "--metrics", "rouge,chrf,diversity,faults,length,bleurt"]


@pytest.fixture(autouse=True)
def _own_storage(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # The seed corpus's set is built once for all.
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path_factory.getbasetemp() / "evaluate"))


def evaluate(out: Path, *more: str) -> int:
    return main(["evaluate", "--data", "seed", "--out", str(out), *QUICK, *more])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished evaluation."""
    out = tmp_path_factory.mktemp("done")
    texts = out / "texts.txt"
    texts.write_text("Мама мыла раму.\nКот спит на окне.\n" * 12, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_DIR", str(tmp_path_factory.getbasetemp() / "evaluate"))
        assert evaluate(out / "first", *SYSTEMS, "--perplexity", "--texts", str(texts)) == 0
    return out / "first"


def test_every_file_is_there_and_holds_both_systems(done: Path) -> None:
    found = json.loads((done / "metrics.json").read_text(encoding="utf-8"))
    assert found["prompts"] == 24
    tuned = found["systems"]["tuned"]
    for column in ("rouge1", "chrf", "distinct2_all", "emotion_hit", "gap", "text_bits", "reference_perplexity"):
        assert tuned[column]["low"] <= tuned[column]["mean"] <= tuned[column]["high"]
        assert tuned[column]["difference"]["verdict"] in ("higher", "lower", "same")
        assert "difference" not in found["systems"]["base"][column]
    assert tuned["bleurt"] == {"absent": "no checkpoint is named; give --bleurt FOLDER or a hub id"}
    assert found["gate"]["accuracy"]["seed_dev"]["right"] > 0.85
    assert found["alarms"]["tuned"]["verdict"] == "same"
    assert found["emotion"]["base"]["confusion"]
    assert "not available" in (done / "table.md").read_text(encoding="utf-8")
    assert "нет данных" in (done / "table.ru.md").read_text(encoding="utf-8")
    assert r"\begin{tabular}{lrr}" in (done / "table.tex").read_text(encoding="utf-8")
    rows = list(csv.DictReader((done / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["system"] for row in rows} == {"base", "tuned"}


def test_values_by_sample_add_up_to_the_table(done: Path) -> None:
    found = json.loads((done / "metrics.json").read_text(encoding="utf-8"))["systems"]["base"]
    lines = [json.loads(line) for line in (done / "values" / "base.jsonl").read_text(encoding="utf-8").splitlines()]
    own = [one.key for one in samples.read(done / "samples" / "base.jsonl")]
    assert [line["key"] for line in lines] == own
    assert sum(line["rouge1"] for line in lines) / 24 == pytest.approx(found["rouge1"]["mean"], abs=1e-5)
    assert "bleurt" not in lines[0]


def test_a_finished_evaluation_is_not_asked_again(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (done / "table.csv").read_text(encoding="utf-8")

    def refuse(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(answering, "open_engine", refuse)
    assert evaluate(done, *SYSTEMS) == 0
    after = (done / "table.csv").read_text(encoding="utf-8")
    assert [line for line in before.splitlines() if "perplexity" not in line and "_bits" not in line] == (
        after.splitlines()
    )


def test_the_same_seed_gives_the_same_table(done: Path, tmp_path: Path) -> None:
    assert evaluate(tmp_path, *SYSTEMS) == 0
    told = [
        [line for line in (folder / "table.csv").read_text(encoding="utf-8").splitlines() if "_" not in line[:10]]
        for folder in (done, tmp_path)
    ]
    assert told[0] == told[1]


def test_another_question_in_the_same_folder_is_refused(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(done, *SYSTEMS, "--seed", "5") == 2
    shown = capsys.readouterr().err
    assert "another evaluation (seed differ)" in shown
    assert "name another --out" in shown


def test_ready_answers_are_measured_beside_each_other(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = list(samples.read(done / "samples" / "base.jsonl"))
    stuffed = tmp_path / "stuffed.jsonl"
    samples.write(
        stuffed,
        [one.model_copy(update={"system": "stuffed", "answer": "Радость! Я так рад! Радость!"}) for one in base],
    )
    given = ["--samples", str(stuffed), "--samples", str(done / "samples" / "base.jsonl"), "--first", "base"]
    out = tmp_path / "out"
    assert main(["evaluate", *given, "--out", str(out), "--metrics", "rouge,diversity"]) == 0
    shown = capsys.readouterr().out
    assert "made of the same words" in shown
    found = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert list(found["systems"]) == ["base", "stuffed"]
    assert found["systems"]["stuffed"]["shared2"]["difference"]["verdict"] == "higher"
    assert main(["evaluate", "--language", "ru", *given, "--out", str(out), "--metrics", "length"]) == 0
    assert "показатель" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--metrics", "meteor"], "no metric 'meteor'"),
        ([], "nothing to evaluate"),
        (["--system", "a=bundled", "--system", "a=bundled"], "two systems are called a"),
        (["--system", "a=bundled"], "--system needs --data"),
        (["--samples", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--gate", "/nowhere/at/all"], "--gate: the emotion classifier /nowhere/at/all cannot be loaded"),
        (["--gate", "models/starter/classifier", "--picker", "models/starter/classifier"], "cannot judge"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--out", str(tmp_path / "out"), *arguments]) == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "Traceback" not in shown


def test_help_names_every_metric_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert time.monotonic() - started < 5
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("rouge", "chrf", "bertscore", "bleurt", "acceptability", "diversity"))


def test_a_prepared_set_is_evaluated_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from storage.contracts import Turn
    from training.data import sets
    from training.data.rows import Answer

    rows = [Answer(prompt=(Turn(role="user", text=f"Сколько будет {n} и {n}?"),), answer=str(n + n)) for n in range(6)]
    made: PreparedSet = sets.write(tmp_path / "set", rows[:2], rows[2:], {})
    out = tmp_path / "out"
    given = ["--data", str(made.folder), "--system", "base=bundled", "--out", str(out), "--most", "4"]
    assert main(["evaluate", *given, "--metrics", "rouge,length"]) == 0
    found = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert (found["prompts"], found["gate"], found["emotion"]) == (4, None, {})
    assert "(only 4)" in capsys.readouterr().out


def test_lengths_are_told_against_a_wanted_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for name, tokens in (("short", 400), ("wanted", 540)):
        made = [
            one.model_copy(update={"tokens": tokens + place, "finished": place > 3, "reference": "Ответ о деле"})
            for place, one in enumerate(different([f"Ответ {n} о деле" for n in range(24)], name))
        ]
        samples.write(tmp_path / f"{name}.jsonl", made)
        files += ["--samples", str(tmp_path / f"{name}.jsonl")]
    out = tmp_path / "out"
    given = [*files, "--metrics", "rouge,length", "--gate", "none", "--picker", "none", "--out", str(out)]
    assert main(["evaluate", *given, "--target", "540"]) == 0
    shown = capsys.readouterr().out
    assert "- wanted: median 552 tokens (5 to 95 %: 541 to 562); within a tenth of 540: 100%" in shown
    assert "- short: median 412 tokens" in shown and "shorter 100%, longer 0%, cut by the limit 17%" in shown
    systems = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["systems"]
    assert systems["short"]["off_target"]["mean"] == pytest.approx(-128.5)
    assert systems["wanted"]["within"]["difference"]["verdict"] == "higher"
    found = json.loads((out / "lengths.json").read_text(encoding="utf-8"))
    assert sum(found["wanted"]["counts"]) == 24
    assert (out / "lengths.png").stat().st_size > 10_000
    assert main(["evaluate", *given, "--target", "20", "--language", "ru"]) == 0
    assert "в пределах десятой от 20: 0%, короче 0%, длиннее 100%" in capsys.readouterr().out
