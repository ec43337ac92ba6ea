"""How far an export has come, in one small file that is replaced as a whole after every page.

Knows sizes of files and positions of listings; nothing of what is in them.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from training.data.helpdesk.desk import Position
from training.data.helpdesk.errors import FolderTaken

NAME = "export.json"


class Options(BaseModel):
    """What an export was started with; a resumed one must be the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    desk: str
    organisation: str
    kinds: tuple[str, ...]
    locale: str
    department: str = ""
    unsolved: tuple[str, ...] = ()
    since: str = ""
    scrub: bool = True
    names: bool = False


class Progress(BaseModel):
    """One listing: its position, bytes of its files that count, records written and left out."""

    model_config = ConfigDict(extra="forbid")

    position: Position = Position()
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    done: bool = False


class Cursor(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    options: Options
    listings: dict[str, Progress]

    def save(self, folder: Path) -> None:
        """Replace the file at once: a reader sees the old one or the new one."""
        path = folder / NAME
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as out:
            out.write(self.model_dump_json(indent=1) + "\n")
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)

    def finished(self) -> bool:
        """Whether all listings came to their end."""
        return all(progress.done for progress in self.listings.values())


def load(folder: Path) -> Cursor | None:
    """The folder's cursor; None if there is none. FolderTaken if it cannot be read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return Cursor.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError):
        raise FolderTaken(f"{path} is no cursor of an export: choose another folder") from None


def start(folder: Path, options: Options, resume: bool) -> Cursor:
    """The cursor to go on from. FolderTaken if that would mix two exports or overwrite one."""
    found = load(folder)
    if found is None:
        if folder.exists() and any(folder.iterdir()):
            raise FolderTaken(f"{folder} is not empty: choose another folder")
        return Cursor(options=options, listings={kind: Progress() for kind in options.kinds})
    if not resume:
        raise FolderTaken(f"{folder} holds an export: go on with --resume, or choose another folder")
    mine, theirs = options.model_dump(), found.options.model_dump()
    if changed := [name for name in mine if mine[name] != theirs[name]]:
        raise FolderTaken(f"{folder} was begun with other options ({', '.join(changed)}): choose another folder")
    return found
