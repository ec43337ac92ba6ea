"""A prepared set on disk: `train.jsonl`, `held_out.jsonl`, `manifest.json`. Knows rows, not how they were made.

Sets are written to a folder beside their name and renamed when whole, so that a half-written one is never read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from training.data.rows import Row, dump, parse
from training.data.sources import sha256
from training.recipes import RecipeError

TRAIN, HELD_OUT, MANIFEST = "train.jsonl", "held_out.jsonl", "manifest.json"
ANEW = "delete the folder and build the set anew: otklik data build, or the run that made it"
Kind = TypeVar("Kind", bound=Row)


class EmptySet(RecipeError):
    """No row was left; the message tells the counts, so that the filter to loosen can be found."""


@dataclass(frozen=True)
class PreparedSet:
    """A finished set's folder."""

    folder: Path
    manifest: Mapping[str, Any]

    def train(self, kind: type[Kind]) -> Iterator[Kind]:
        """Rows to learn from, one at a time; RecipeError if another kind is met."""
        return _read(self.folder / TRAIN, kind)

    def held_out(self, kind: type[Kind]) -> Iterator[Kind]:
        """Rows kept apart."""
        return _read(self.folder / HELD_OUT, kind)


def require(folder: Path) -> None:
    """RecipeError if a folder has not the files of a set."""
    for name in (TRAIN, HELD_OUT, MANIFEST):
        if not (folder / name).is_file():
            raise RecipeError(f"data: {folder} holds no prepared set ({name} is missing); make one: otklik data build")


def load(folder: Path) -> PreparedSet:
    """The set of a folder; RecipeError says what is missing, or which file is no longer what its manifest tells of."""
    require(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        told = {name: manifest["sha256"][name] for name in (TRAIN, HELD_OUT)}
    except (ValueError, KeyError, TypeError):
        raise RecipeError(f"data: {folder / MANIFEST} is no manifest of a prepared set; {ANEW}") from None
    for name, wanted in told.items():
        if sha256(folder / name) != wanted:
            raise RecipeError(
                f"data: {folder / name} was changed after it was built: its manifest no longer tells "
                f"what it holds; {ANEW}"
            )
    return PreparedSet(folder, manifest)


def write(folder: Path, train: Iterable[Row], held_out: Iterable[Row], manifest: Mapping[str, Any]) -> PreparedSet:
    """Write a set whole or not at all. EmptySet if there is no training row.

    The manifest gets `rows` and `sha256` of both files beside what is given.
    """
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    counts: dict[str, int] = {}
    hashes: dict[str, str] = {}
    for name, rows in ((TRAIN, train), (HELD_OUT, held_out)):
        counts[name], hashes[name] = _write(fresh / name, rows)
    if not counts[TRAIN]:
        shutil.rmtree(fresh)
        raise EmptySet(f"data: no row was left to learn from; counts: {json.dumps(manifest.get('steps', {}))}")
    whole = {**manifest, "rows": counts, "sha256": hashes}
    text = json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (fresh / MANIFEST).write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return PreparedSet(folder, whole)


def _write(path: Path, rows: Iterable[Row]) -> tuple[int, str]:
    digest, count = hashlib.sha256(), 0
    with path.open("wb") as out:
        for row in rows:
            line = dump(row).encode() + b"\n"
            digest.update(line)
            out.write(line)
            count += 1
    return count, digest.hexdigest()


def _read(path: Path, kind: type[Kind]) -> Iterator[Kind]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            row = parse(line)
            if not isinstance(row, kind):
                raise RecipeError(
                    f"data: {path.name}:{number} is a row of kind '{row.kind}', this method learns from "
                    f"'{kind.model_fields['kind'].default}'"
                )
            yield row
