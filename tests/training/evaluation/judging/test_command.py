"""`otklik judge` as an operator runs it, against a local server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.evaluation.judging.local_server import Server, sample, verdict
from training.evaluation.judging.commands import main
from training.evaluation.samples import write


@pytest.fixture
def files(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that name three systems' answers; the environment names the judge."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("TRAINING_JUDGE_URL", server.url)
    monkeypatch.setenv("TRAINING_JUDGE_MODEL", "судья")
    monkeypatch.setenv("TRAINING_JUDGE_KEY", "geheim")
    monkeypatch.setenv("TRAINING_JUDGE_PRICE_READ", "2.5")
    monkeypatch.setenv("TRAINING_JUDGE_PRICE_WRITTEN", "10")
    options = []
    for name, answer in (("base", "Да."), ("lora", "Да, это было хорошо."), ("gan", "Наверное, да.")):
        path = tmp_path / f"{name}.jsonl"
        write(path, [sample(name, number, answer, emotion="joy") for number in range(24)])
        options += ["--samples", str(path)]
    return options


def test_tables_are_printed_and_a_second_run_is_free(
    files: list[str], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(files) == 0
    shown = capsys.readouterr().out
    assert "### lora against base, 24 prompts" in shown
    assert "| win rate, weighted | 100.0% |" in shown
    assert "lora against one half: higher" in shown
    # Nothing tells a better system from one that is longer everywhere.
    assert "| win rate, length-controlled | not available: one system is longer on 100% of prompts |" in shown
    # 96 questions of 300 tokens read and 20 written.
    assert "28,800 tokens read, 1,920 written: 0.0912 USD" in shown
    assert len(server.bodies) == 96
    assert "радость" in server.bodies[0]["messages"][1]["content"]
    assert main(files) == 0
    assert "96 answered before" in (again := capsys.readouterr().out)
    assert "0 tokens read, 0 written: 0.0000 USD" in again
    assert len(server.bodies) == 96


def test_verdicts_on_other_criteria_are_none_told_in_russian_and_in_files(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*files, "--every-pair", "--language", "ru", "--criteria", "product", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "не разобраны" in shown  # the rule's criteria are others than the product's
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert [(one["one"], one["other"]) for one in summary] == [("lora", "base"), ("gan", "base"), ("gan", "lora")]
    assert all(one["total"] is None and one["unparsable"] == 48 for one in summary)
    assert "Ни по одному запросу решения нет." in (out / "report.md").read_text(encoding="utf-8")


def test_strengths_follow_the_verdicts(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--every-pair"]) == 0
    table = capsys.readouterr().out.split("Bradley–Terry")[1]
    assert table.index("| lora |") < table.index("| gan |") < table.index("| base |")


def test_verdicts_are_written_without_dialogue(files: list[str], tmp_path: Path) -> None:
    assert main([*files, "--limit", "2", "--out", str(tmp_path / "out")]) == 0
    lines = (tmp_path / "out" / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 8
    first = json.loads(lines[0])
    assert (first["one"], first["other"], first["swapped"], first["state"]) == ("lora", "base", False, "judged")
    assert first["values"] == {"relevance": 1.0, "usefulness": 1.0, "clarity": 1.0}
    assert "хорошо" not in "".join(lines)


def test_an_estimate_asks_nothing(files: list[str], server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--estimate"]) == 0
    assert "96 questions" in (shown := capsys.readouterr().out)
    assert "USD" in shown
    assert not server.bodies


def test_too_few_prompts_are_told_in_words(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*files, "--limit", "5"]) == 0
    assert "too few prompts to tell: 5" in capsys.readouterr().out


def test_repeats_at_temperature_zero_are_remarked_on(
    files: list[str], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.rule = lambda first, second, body: verdict(1)
    assert main([*files, "--repeats", "2", "--repeated", "3", "--limit", "4"]) == 0
    shown = capsys.readouterr()
    assert "TRAINING_JUDGE_TEMPERATURE" in shown.err
    assert "| same decision at another seed | 100.0% |" in shown.out
    assert len(server.bodies) == 2 * (3 * 4 + 2)


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        (["--samples", "nowhere.jsonl"], {}, "no file nowhere.jsonl"),
        (["--baseline", "nobody"], {}, "no system 'nobody'"),
        (["--against-references"], {}, "no sample has a reference"),
        (["--url", "server:8000"], {}, "TRAINING_JUDGE_URL"),
        ([], {"TRAINING_JUDGE_PRICE": "3", "TRAINING_JUDGE_TRIES": "geheim"}, "TRAINING_JUDGE_TRIES"),
        ([], {"TRAINING_JUDGE_KYE": "geheim"}, "TRAINING_JUDGE_KYE is not a setting"),
        ([], {"TRAINING_JUDGE_URL": "", "TRAINING_JUDGE_MODEL": ""}, "TRAINING_JUDGE_MODEL"),
        ([], {"TRAINING_JUDGE_URL": "", "TRAINING_JUDGE_MODEL": "/no/such/folder"}, "TRAINING_JUDGE_MODEL"),
    ],
)
def test_what_is_wrong_is_one_clear_message(
    files: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    environment: dict[str, str],
    told: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main([*files, *options]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("otklik judge: ") and told in shown
    assert "geheim" not in shown and "Traceback" not in shown
