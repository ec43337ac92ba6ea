"""The console command: instant help, readable refusals, nothing outside the repository under our names."""

from __future__ import annotations

import importlib
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otklik.__main__ import COMMANDS, load, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("package", ["bot", "models", "otklik", "storage", "training"])
def test_our_packages_are_the_ones_in_the_repository(package: str) -> None:
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found).is_relative_to(ROOT)


def test_help_is_quick_and_imports_no_torch() -> None:
    code = "import sys; from otklik.__main__ import main; main(['--help']); print('torch' in sys.modules)"
    times = []
    for _ in range(3):
        started = time.monotonic()
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        times.append(time.monotonic() - started)
        assert answer.endswith("False\n")
        assert all(name in answer for name in COMMANDS)
    assert statistics.median(times) < 0.5


def test_every_command_of_the_table_exists() -> None:
    for target, _ in COMMANDS.values():
        assert callable(load(target))


def test_commands_that_the_documentation_names_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "README.ru.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = {word: page.name for page in pages for word in re.findall(r"(?:^|[`/ ])otklik ([a-z]+)", _code(page), re.M)}
    assert {"up", "train", "simulate"} <= named.keys()
    assert {word: page for word, page in named.items() if word not in COMMANDS} == {}


def _code(page: Path) -> str:
    """What stands in fences."""
    return "\n".join(re.findall(r"^```.*?\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S))


def test_an_unknown_command_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    assert "there is no command 'fly'" in (shown := capsys.readouterr().err)
    assert "doctor" in shown


def test_wrong_settings_are_all_named_at_once_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORAGE_QUEUE_LIMIT", "geheim")
    monkeypatch.setenv("STORAGE_NAMESPACE", "НЕЛЬЗЯ")
    assert main(["doctor"]) == 2
    shown = capsys.readouterr().err
    assert "STORAGE_QUEUE_LIMIT" in shown
    assert "STORAGE_NAMESPACE" in shown
    assert "geheim" not in shown


def test_the_settings_of_all_parts_are_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    wrong = {
        "STORAGE_QUEUE_LIMIT": "many",
        "BOT_UPDATES": "pigeon",
        "BOT_TOKNE": "1:a",
        "API_ORIGINS": "*",
        "MODELS_ENGINE": "magic",
        "TRAINING_MIN_RATINGS": "-1",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    assert main(["up"]) == 2
    shown = capsys.readouterr().err
    assert [name for name in wrong if name not in shown] == []
    assert not (tmp_path / "var").exists()
    assert main(["worker"]) == 2
    shown = capsys.readouterr().err
    assert [name for name in wrong if name in shown] == ["STORAGE_QUEUE_LIMIT", "MODELS_ENGINE"]
    assert main(["doctor"]) == 2
    shown = capsys.readouterr().err
    assert [name for name in wrong if name not in shown] == []


def test_a_cry_for_help_in_the_terminal_is_answered_by_no_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.cli.build_responder", lambda *_, **__: pytest.fail("a model was asked"))
    assert main(["reply", "не хочу больше жить"]) == 0
    assert "8-800-2000-122" in capsys.readouterr().out
