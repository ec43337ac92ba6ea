"""The command: what is set on its line, and what stops it without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.simulation import commands, running
from training.simulation.errors import SimulationError, Stopped
from training.simulation.plan import CONTROL, LOOP, SHORT, Plan


def plan_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *line: str) -> Plan:
    """The plan that a command line leads to."""
    seen: list[Plan] = []

    def live(folder: Path, plan: Plan, worlds: list[str]) -> None:
        seen.append(plan)
        raise Stopped("enough")

    monkeypatch.setattr(running, "live", live)
    assert commands.main(["--out", str(tmp_path), *line]) == 2
    return seen[0]


def test_a_line_changes_the_plan_and_the_trainer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("--short", "--set", "people=9", "--trainer", "TRAINING_PROMPTS=44")
    plan = plan_of(monkeypatch, tmp_path, *line)
    assert plan.people == 9 and plan.ratings == SHORT.ratings
    assert plan.trainer_settings(LOOP, tmp_path)["TRAINING_PROMPTS"] == "44"
    assert "enough" in capsys.readouterr().err


def test_only_worlds_with_refits_have_them(tmp_path: Path) -> None:
    loop, control = (Plan().trainer_settings(name, tmp_path / "kto.yaml") for name in (LOOP, CONTROL))
    assert loop["TRAINING_MIN_RATINGS"] == str(Plan().ratings) and loop["TRAINING_REPLAY"] == "0"
    assert control["TRAINING_REFITS"] == "false" and "TRAINING_MIN_RATINGS" not in control


def test_a_folder_of_another_plan_is_left_alone(tmp_path: Path) -> None:
    running.keep_plan(tmp_path, SHORT)
    running.keep_plan(tmp_path, SHORT)
    with pytest.raises(SimulationError, match="another plan"):
        running.keep_plan(tmp_path, Plan())


def test_a_word_without_a_value_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="write KEY=VALUE"):
        commands.main(["--out", str(tmp_path), "--set", "people"])
