"""`otklik train` ends with one line that says what to do when nothing more can be written."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from training import beforehand, sft
from training.cli import train

RECIPE = "name: small\nbase: absent\nsteps: 1\ndata: absent\noutput: {output}\n"


@pytest.mark.parametrize(
    ("error", "fuller", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "var", "the disk of {var} is full: free some space"),
        (OSError(errno.ENOSPC, "No space left on device"), "out", "the disk of {out}/adapter is full: free some space"),
        (RuntimeError(f"I/O error: {os.strerror(errno.ENOSPC)} (os error 28)"), "out", "{out}/adapter is full"),
        (RuntimeError(f"I/O error: {os.strerror(errno.EFBIG)} (os error 27)"), "var", "{var} takes no file as large"),
    ],
)
def test_the_disk_that_is_full_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    fuller: str,
    told: str,
) -> None:
    places = {name: tmp_path / name for name in ("var", "out")}
    for place in places.values():
        place.mkdir()

    def fails(*_: Any) -> Path:
        raise error

    def room(place: Path) -> Any:
        return SimpleNamespace(free=0 if place.name == fuller else 1 << 30)

    monkeypatch.setenv("STORAGE_DIR", str(places["var"]))
    monkeypatch.setattr(sft, "main", fails)
    monkeypatch.setattr(beforehand, "check", lambda *_: None)
    monkeypatch.setattr(shutil, "disk_usage", room)
    file = tmp_path / "recipe.yaml"
    file.write_text(RECIPE.format(output=places["out"] / "adapter"), encoding="utf-8")
    assert train(["sft", "--recipe", str(file)]) == 3
    found = capsys.readouterr().err
    assert told.format(**places) in found
    assert found.strip().endswith("then continue with --resume")
