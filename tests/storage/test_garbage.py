"""The command line looks for cycles of objects less often than Python by itself."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from otklik.__main__ import main
from storage import garbage


def test_every_command_looks_for_garbage_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, ...]] = []
    monkeypatch.setattr(gc, "set_threshold", lambda *given: set_to.append(given))
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    assert set_to == [garbage.SELDOM]


def test_a_process_that_ends_does_not_look_through_everything_once_more() -> None:
    code = """
from storage.garbage import seldom
seldom()
class Cycle:
    def __init__(self): self.own = self
    def __del__(self): print("looked through")
Cycle()
"""
    assert subprocess.check_output([sys.executable, "-c", code]) == b""
