"""Adapters' files in a store at any fsspec address (a folder, s3://, memory://), and in a worker's cache.

An adapter is stored whole or not at all: on a disk it is written beside and renamed, in an object store its manifest
comes last. What is stored is never altered. Synchronous: called in a thread. Knows no SQL and no engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from storage.adapter_manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    AdapterDamaged,
    AdapterFilesError,
    AdapterMissing,
    Local,
    Manifest,
    StoredFile,
    StoreUnavailable,
    adapter_id,
    check_id,
    hash_adapter,
    parse_manifest,
    read_folder,
)
from storage.adapter_places import (
    INCOMING,
    check_room,
    copy,
    is_disk,
    open_address,
    prune,
    reaching,
    set_aside,
    sweep,
    sync,
    write_file,
)
from storage.contracts import ServedAdapter

__all__ = ["Stored", "discard", "faults", "fetch", "hash_adapter", "store"]

log = structlog.get_logger()


@dataclass(frozen=True)
class Stored:
    """Where a stored adapter is. `location`: fsspec address of its folder; `size` in bytes."""

    adapter_id: str
    sha256: str
    location: str
    size: int


def store(folder: Path, address: str, prompt: str | None = None) -> Stored:
    """Copy a local adapter's folder into the store at `address`; the same content again changes nothing.

    NotAnAdapter if it holds what is not taken in, AdapterDamaged if it changes meanwhile, StoreUnavailable.
    """
    local = read_folder(folder, prompt)
    name, sha256 = adapter_id(local.manifest.sha256), local.manifest.sha256
    with reaching(address):
        fs, root = open_address(address)
        place = f"{root}/{name}"
        stored = Stored(name, sha256, fs.unstrip_protocol(place) if not is_disk(fs) else place, local.manifest.size)
        found = faults(stored.location, sha256)
        if found and is_disk(fs):
            _store_on_disk(local, Path(place))
        elif found:
            _store_as_objects(local, fs, place)
    return stored


def faults(location: str, sha256: str) -> list[str]:
    """What is wrong with a stored adapter, a line each; empty: every byte is as its hash says. StoreUnavailable."""
    with reaching(location):
        fs, place = open_address(location)
        try:
            manifest = _read_manifest(fs, place, location, sha256)
        except AdapterFilesError as error:
            return [str(error)]
        return [fault for name, file in manifest.files.items() if (fault := _fault(fs, place, name, file))]


def fetch(served: ServedAdapter, cache: Path, store: str | None = None) -> Path:
    """The adapter's folder on this machine: from `cache` if it is there whole, else copied and checked.

    `store`: this machine's own address of the store (a shared folder may be mounted elsewhere than where the trainer
    sees it), looked in first. Processes may fetch at once. AdapterMissing, AdapterDamaged or StoreUnavailable; the
    caller decides whether to try again.
    """
    target = cache / check_id(served.adapter_id)
    if target.is_dir():
        with contextlib.suppress(OSError):
            os.utime(target)  # tells `prune` that it is used
        if not faults(str(target), served.sha256):
            return target
        log.warning("cached adapter is damaged and fetched again", adapter=served.adapter_id)
        set_aside(target)
    own = None if store is None else f"{store.rstrip('/')}/{served.adapter_id}"
    places = [place for place in dict.fromkeys((own, served.location)) if place]
    for place in places[:-1]:
        with contextlib.suppress(AdapterMissing):
            return _download(served, place, target)
    return _download(served, places[-1], target)


def discard(location: str) -> None:
    """Remove a stored adapter, its manifest first, so that it is never half there."""
    with reaching(location):
        fs, place = open_address(location)
        fs.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):  # gone already, wholly or in part
            fs.rm_file(f"{place}/{MANIFEST}")
        with contextlib.suppress(FileNotFoundError):
            fs.rm(place, recursive=True)


def _download(served: ServedAdapter, location: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    prune(target.parent)
    incoming = target.parent / f"{INCOMING}{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with reaching(location):
            fs, place = open_address(location)
            manifest = _read_manifest(fs, place, location, served.sha256)
            check_room(target.parent, manifest)
            incoming.mkdir()
            for name, file in manifest.files.items():
                with fs.open(f"{place}/{name}", "rb") as source:
                    write_file(source, incoming / name, file)
            (incoming / MANIFEST).write_bytes(manifest.body())
        return _put(incoming, target, served.sha256)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _store_on_disk(local: Local, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    check_room(target.parent, local.manifest)
    incoming = target.parent / f"{INCOMING}{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
    incoming.mkdir()
    try:
        for name, file in local.manifest.files.items():
            with (local.folder / name).open("rb") as source:
                write_file(source, incoming / name, file)
        (incoming / MANIFEST).write_bytes(local.manifest.body())
        _put(incoming, target, local.manifest.sha256)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _store_as_objects(local: Local, fs: Any, place: str) -> None:
    if fs.exists(f"{place}/{MANIFEST}"):
        fs.rm_file(f"{place}/{MANIFEST}")
    for name, file in local.manifest.files.items():
        with (local.folder / name).open("rb") as source, fs.open(f"{place}/{name}", "wb") as goal:
            copy(source, goal, file, name)
    fs.pipe_file(f"{place}/{MANIFEST}", local.manifest.body())


def _put(incoming: Path, target: Path, sha256: str) -> Path:
    """Give a whole folder its name; if another process was faster, theirs stays."""
    sync(incoming)
    for _ in range(3):
        try:
            incoming.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            if not faults(str(target), sha256):
                return target
            set_aside(target)
        else:
            sync(target.parent)
            return target
    raise StoreUnavailable(f"{target} keeps being replaced by something damaged; look who writes there")


def _read_manifest(fs: Any, place: str, location: str, sha256: str) -> Manifest:
    fs.invalidate_cache()
    try:
        with fs.open(f"{place}/{MANIFEST}", "rb") as handle:
            body = handle.read(LARGEST_MANIFEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AdapterMissing(
            f"there is no adapter at {location}; every machine needs the same store: set STORAGE_ADAPTERS to a shared "
            "folder or object storage (docs/registry.md)"
        ) from error
    if hashlib.sha256(body).hexdigest() != sha256:
        raise AdapterDamaged(f"the manifest at {location} is not that of this adapter; run `otklik adapters verify`")
    return parse_manifest(body, location)


def _fault(fs: Any, place: str, name: str, file: StoredFile) -> str | None:
    try:
        with fs.open(f"{place}/{name}", "rb") as source, open(os.devnull, "wb") as nowhere:
            copy(source, nowhere, file, name)
    except FileNotFoundError:
        return f"{name} is missing"
    except AdapterDamaged:
        return f"{name} is damaged"
    return None
