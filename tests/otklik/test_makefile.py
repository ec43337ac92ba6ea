"""README's two commands: each installs once, whichever comes first, and again only when what it installs changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# In place of Python: notes what it was asked for, and makes programs that note their names.
PYTHON = """#!/bin/sh
echo "$*" >> calls
mkdir -p .venv/bin
for name in otklik python; do
  printf '#!/bin/sh\\necho "%s $*" >> calls\\n' $name > .venv/bin/$name
  chmod +x .venv/bin/$name
done
test ! -e interrupted
"""
ML = "install.py --venv .venv --extras ml"
DEV = "install.py --venv .venv --extras ml,dev"
UP, TESTS = "otklik up", "python -m tests"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a newcomer has just cloned, as far as make looks at it, long ago."""
    for name in ("Makefile", "pyproject.toml", "install.py"):
        shutil.copy(ROOT / name, tmp_path)
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def make(clone: Path, *arguments: str) -> list[str]:
    """Run make; what was called since the last time."""
    calls = clone / "calls"
    calls.unlink(missing_ok=True)
    command = ["make", "--no-print-directory", f"PYTHON={clone / 'python'}", *arguments]
    subprocess.run(command, cwd=clone, capture_output=True, env={"PATH": os.environ["PATH"]})
    return calls.read_text().splitlines() if calls.exists() else []


def test_the_demo_first(clone: Path) -> None:
    assert make(clone, "demo") == [ML, UP]
    assert make(clone, "demo") == [UP]
    assert make(clone, "test") == [DEV, TESTS]
    assert make(clone, "demo") == [UP]
    assert make(clone, "test") == [TESTS]


def test_the_tests_first(clone: Path) -> None:
    assert make(clone, "test") == [DEV, TESTS]
    assert make(clone, "demo") == [UP]
    assert make(clone, "test") == [TESTS]
    command = ["make", "--no-print-directory", "-n", "demo", "test"]
    dry = subprocess.check_output(command, cwd=clone, text=True, env={"PATH": os.environ["PATH"]})
    assert dry.split("\n") == [".venv/bin/otklik up", ".venv/bin/python -m tests", ""]


@pytest.mark.parametrize("changed", ["pyproject.toml", "install.py"])
def test_a_change_of_what_is_installed_is_installed(clone: Path, changed: str) -> None:
    make(clone, "test")
    for stamp in (clone / ".venv").glob(".installed-*"):
        os.utime(stamp, (1, 1))
    os.utime(clone / changed, (2, 2))
    assert make(clone, "demo") == [ML, UP]
    assert make(clone, "test") == [DEV, TESTS]
    assert make(clone, "demo") == [UP]
    assert make(clone, "test") == [TESTS]


def test_an_installation_that_did_not_end_begins_again(clone: Path) -> None:
    interrupted = clone / "interrupted"
    for target, wanted in (("demo", [ML, UP]), ("test", [DEV, TESTS])):
        interrupted.touch()
        assert make(clone, target) == wanted[:1]
        interrupted.unlink()
        assert make(clone, target) == wanted


def test_what_another_installation_left_by_halves_is_not_taken_for_installed(clone: Path) -> None:
    assert make(clone, "demo") == [ML, UP]
    (clone / "interrupted").touch()
    assert make(clone, "test") == [DEV]
    (clone / "interrupted").unlink()
    assert make(clone, "demo") == [ML, UP]
