"""Saving a world to one JSON file and opening it again. Does not decide when to save."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import time

from pydantic import TypeAdapter

from bot.playground.files import FileStore
from bot.playground.limits import Limits
from bot.playground.state import Snapshot
from bot.playground.world import World

SNAPSHOT = TypeAdapter(Snapshot)


def open_world(path: Path | None, *, limits: Limits | None = None, clock: Callable[[], float] = time) -> World:
    """The world saved at `path`, or a new one that will be saved there; ValueError for a file of another kind."""
    if path is None:
        return World(limits=limits, clock=clock)
    snapshot = Snapshot()
    if path.exists():
        snapshot = SNAPSHOT.validate_json(path.read_bytes())
        if snapshot.version != 1:
            raise ValueError(f"{path} was written by another version of the playground; move it away")
    folder = path.with_name(path.stem + ".files")
    files = FileStore(folder, snapshot.files, snapshot.next_file)
    return World(limits=limits, clock=clock, snapshot=snapshot, files=files, path=path)


def save_world(world: World) -> None:
    """Write the world to its path in one step: a reader or a crash sees the old file or the new one, never half."""
    if world.path is None:
        return
    world.path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=world.path.parent, prefix=world.path.name, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(SNAPSHOT.dump_json(world.snapshot()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, world.path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
