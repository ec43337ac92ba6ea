"""The benchmark runs small: both ways of answering agree, the cache spares every question, every prompt is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import evaluation


@pytest.mark.slow
def test_batched_answers_are_those_of_one_at_a_time() -> None:
    found = evaluation.batching(prompts=6, batch=6, most=12)
    assert found["prompts"] == 6 and found["differ"] == 0
    assert found["tokens"] > 6 and min(found["batched"], found["single"]) > 0


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    found = evaluation.cache(25, tmp_path)
    assert (found["first_asked"], found["second_asked"]) == (50, 0)


def test_growth_measures_writes_and_judges_every_prompt(tmp_path: Path) -> None:
    found = evaluation.growth(30, tmp_path)
    assert found["asked"] == 60 and found["evaluate_s"] > 0
    assert len((tmp_path / "values" / "one.jsonl").read_text(encoding="utf-8").splitlines()) == 30


def test_a_gate_is_measured_on_what_is_there_and_the_rest_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluation.gates(None)
    evaluation.show_gates(found, None)
    said = capsys.readouterr().out
    assert "seed_dev: right 0.9" in said and "CEDR dev, BRIGHTER dev: not measured; give --data" in said
