"""The one test command: runs every check even if one fails, and tells what a machine leaves out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests import __main__ as checks
from tests import machine


def run_all(monkeypatch: pytest.MonkeyPatch, *, failing: str = "", types: int = 0) -> tuple[int, dict[str, list[str]]]:
    """The command with stand-ins for the checks; the one that runs beside them ends with the status `types`."""
    ran: dict[str, list[str]] = {}

    def run(name: str, command: list[str]) -> bool:
        ran[name] = command
        return name != failing

    monkeypatch.setattr(checks, "run", run)
    monkeypatch.setattr(checks, "TYPES", ("types", ["python", "-c", f"raise SystemExit({types})"]))
    monkeypatch.setattr("sys.argv", ["tests"])
    return checks.main(), ran


def test_without_chromium_and_postgres_the_rest_runs_and_the_way_to_enable_them_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(machine, "chromium", lambda: None)
    monkeypatch.setattr(machine, "postgres", lambda: None)
    status, ran = run_all(monkeypatch)
    assert status == 0
    assert ran["pytest"][-2:] == ["-m", "not browser and not postgres"]
    told = capsys.readouterr().out
    assert "apt-get install chromium" in told
    assert "apt-get install postgresql" in told


def test_in_ci_nothing_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(machine, "chromium", lambda: None)
    assert run_all(monkeypatch)[0] == 1


def test_a_failed_check_fails_the_command_and_the_others_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    status, ran = run_all(monkeypatch, failing="import-linter")
    assert status == 1
    assert len(ran) == len(checks.CHECKS) + 1


def test_wrong_types_fail_the_command_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checks.TYPES == ("mypy --strict", ["mypy"])
    status, ran = run_all(monkeypatch, types=1)
    assert status == 1
    assert len(ran) == len(checks.CHECKS) + 1
    assert "── types\n   FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_any_chromium_will_do_and_every_test_drives_the_one_that_was_found(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(shutil, "which", {name: f"/opt/{name}"}.get)
    assert machine.chromium() == f"/opt/{name}"
    driven = [
        found
        for path in Path(machine.__file__).parent.rglob("*.py")
        for found in re.findall(r"chromium\.launch\((?:executable_path=)?(\w+)", path.read_text(encoding="utf-8"))
    ]
    assert driven and set(driven) == {"chromium"}
