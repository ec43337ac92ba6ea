"""A job's folder: what lies where, and files that are written whole or not at all. Knows no step of a refit.

`STORAGE_DIR/jobs/<job_id>/`: `job.json` (what was asked, by the trainer), `sets/` and `sets.json` (frozen feedback),
`plan.json` (the method and why), `recipes/`, `runs/`, `evaluation/`, `evidence.json`, `verdict.json`, `report.md`,
`picture.png`; `log.txt` and `failure.json` of the steps' processes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class JobFolder:
    """Paths under one job's folder."""

    path: Path

    @classmethod
    def of(cls, storage: Path, job_id: str) -> JobFolder:
        """The folder of a job; ValueError if its id is no name for a folder."""
        if not NAME.fullmatch(job_id):
            raise ValueError(f"job id {job_id!r}: letters, digits, points, - and _ make a folder's name")
        return cls(storage.absolute() / "jobs" / job_id)

    def make(self) -> None:
        """The folder, closed to others: it holds people's words."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.mkdir(exist_ok=True, mode=0o700)

    @property
    def sets(self) -> Path:
        """Frozen feedback sets."""
        return self.path / "sets"

    @property
    def mixed(self) -> Path:
        """What the method learns from: people's rows and the replayed ones."""
        return self.path / "mixed"

    @property
    def pictured(self) -> Path:
        """The picture for people."""
        return self.path / "picture.png"

    @property
    def report(self) -> Path:
        """The report for operators."""
        return self.path / "report.md"

    @property
    def log(self) -> Path:
        """What the steps' processes printed."""
        return self.path / "log.txt"

    def run(self, method: str) -> Path:
        """The folder of a method's run."""
        return self.path / "runs" / f"{method}-refit"

    def adapter(self, method: str) -> Path:
        """The adapter that a run leaves; there only when it is whole."""
        return self.run(method) / "adapter"

    def recipe(self, method: str) -> Path:
        """The recipe that a method runs with, every key written out."""
        return self.path / "recipes" / f"{method}.yaml"

    def read(self, name: str) -> dict[str, Any] | None:
        """`NAME.json`, None if it is not there."""
        return read_json(self.path / f"{name}.json")

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Replace `NAME.json` in one rename."""
        write_json(self.path / f"{name}.json", values)

    def drop(self, *names: str) -> None:
        """Remove files or folders, where they are."""
        for name in names:
            place = self.path / name
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object, None if there is no such file or it was cut off."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write beside and rename, so that a kill leaves the old or the new file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as out:
        out.write(json.dumps(values, ensure_ascii=False, indent=1, default=str) + "\n")
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
