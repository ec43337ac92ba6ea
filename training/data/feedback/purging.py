"""People who asked to be forgotten leave frozen sets. Knows set folders and the keys that lie beside them; no SQL.

Sets made of these sets (a refit's mix with the seed corpus) carry the same names and are purged by the same keys.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from training.data import sets
from training.data.feedback.gathering import WITH
from training.data.feedback.pseudonyms import KEY_FILE, Pseudonyms

log = structlog.get_logger(__name__)

PURGED = "purged"


def purge(
    storage: Path, people: Iterable[int | str], *, before: datetime | None = None, beside: Path | None = None
) -> dict[Path, int]:
    """Remove every row that these people have a part in from all sets under a folder; rows removed by set.

    `before`: only sets that were frozen before this moment; who agrees anew is learned from again. `beside`: a folder
    whose sets are left to others. A purged set's manifest says how many rows are gone and what the hashes were; its
    hashes are of what is left.
    """
    wanted = sorted({str(person) for person in people})
    found = (path for path in sorted(storage.rglob(KEY_FILE)) if not _within(path, beside))
    keys = [Pseudonyms.read(path) for path in found if not _since(path, before)]
    names = {key.name(person) for key in keys for person in wanted}
    removed: dict[Path, int] = {}
    for train in sorted(storage.rglob(sets.TRAIN)) if names else ():
        folder = train.parent
        if _within(folder, beside) or _since(folder.parent / KEY_FILE, before):
            continue
        if (folder / sets.MANIFEST).is_file() and (count := _purge_set(folder, names)):
            removed[folder] = count
            _tell_parent(folder, count)
    if removed:
        log.info("sets_purged", sets=len(removed), rows=sum(removed.values()))
    return removed


def _within(path: Path, folder: Path | None) -> bool:
    return folder is not None and path.is_relative_to(folder)


def _since(key: Path, moment: datetime | None) -> bool:
    """Whether sets were frozen then or later: their key is written with them, once."""
    return moment is not None and key.is_file() and key.stat().st_mtime >= moment.timestamp()


def _purge_set(folder: Path, names: set[str]) -> int:
    gone = {name: _purge_file(folder / name, names) for name in (sets.TRAIN, sets.HELD_OUT)}
    count = sum(gone.values())
    if not count:
        return 0
    manifest = _read(folder / sets.MANIFEST)
    before = manifest.get(PURGED, {"rows": 0, "sha256": dict(manifest.get("sha256", {}))})
    manifest[PURGED] = {"rows": before["rows"] + count, "sha256": before["sha256"]}
    for name in (sets.TRAIN, sets.HELD_OUT):
        manifest.setdefault("rows", {})[name] = _lines(folder / name)
        manifest.setdefault("sha256", {})[name] = _hash(folder / name)
    _store(folder / sets.MANIFEST, manifest)
    return count


def _purge_file(path: Path, names: set[str]) -> int:
    """Rows removed; the file is replaced at once, or stays as it is."""
    if not path.is_file() or not any(_concerns(line, names) for line in _read_lines(path)):
        return 0
    fresh = path.with_name(path.name + ".purged")
    gone = 0
    with fresh.open("wb") as out:
        for line in _read_lines(path):
            if _concerns(line, names):
                gone += 1
            else:
                out.write(line)
    os.replace(fresh, path)
    return gone


def _concerns(line: bytes, names: set[str]) -> bool:
    row = json.loads(line)
    return row.get("person", "") in names or not names.isdisjoint(row.get("tags", {}).get(WITH, "").split())


def _tell_parent(folder: Path, count: int) -> None:
    """The manifest over all kinds tells of it too."""
    path = folder.parent / sets.MANIFEST
    if not (folder.parent / KEY_FILE).is_file() or not path.is_file():
        return
    whole = _read(path)
    one = _read(folder / sets.MANIFEST)
    whole["sets"][folder.name] = {"rows": one["rows"], "sha256": one["sha256"], PURGED: one[PURGED]}
    whole[PURGED] = whole.get(PURGED, 0) + count
    _store(path, whole)


def _read_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as lines:
        yield from lines


def _lines(path: Path) -> int:
    return sum(1 for _ in _read_lines(path))


def _hash(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _store(path: Path, manifest: dict[str, Any]) -> None:
    fresh = path.with_name(path.name + ".purged")
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)
