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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import structlog

from storage.adapter_manifest import (
    CHUNK,
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
from storage.contracts import ServedAdapter

__all__ = ["Stored", "discard", "faults", "fetch", "hash_adapter", "is_there", "store"]

log = structlog.get_logger()

INCOMING, ASIDE = ".incoming-", ".damaged-"
ABANDONED_SECONDS = 86400.0


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
    with _reaching(address):
        fs, root = _open(address)
        place = f"{root}/{name}"
        stored = Stored(name, sha256, fs.unstrip_protocol(place) if not _is_disk(fs) else place, local.manifest.size)
        found = faults(stored.location, sha256)
        if found and _is_disk(fs):
            _store_on_disk(local, Path(place))
        elif found:
            _store_as_objects(local, fs, place)
    return stored


def faults(location: str, sha256: str) -> list[str]:
    """What is wrong with a stored adapter, a line each; empty: every byte is as its hash says. StoreUnavailable."""
    with _reaching(location):
        fs, place = _open(location)
        try:
            manifest = _read_manifest(fs, place, location, sha256)
        except AdapterFilesError as error:
            return [str(error)]
        return [fault for name, file in manifest.files.items() if (fault := _fault(fs, place, name, file))]


def is_there(location: str) -> bool:
    """Whether an adapter was stored whole; its bytes are not looked at. StoreUnavailable."""
    with _reaching(location):
        fs, place = _open(location)
        fs.invalidate_cache()
        return bool(fs.exists(f"{place}/{MANIFEST}"))


def fetch(served: ServedAdapter, cache: Path, store: str | None = None) -> Path:
    """The adapter's folder on this machine: from `cache` if it is there whole, else copied and checked.

    `store`: this machine's own address of the store (a shared folder may be mounted elsewhere than where the trainer
    sees it), looked in first. Processes may fetch at once. AdapterMissing, AdapterDamaged or StoreUnavailable; the
    caller decides whether to try again.
    """
    target = cache / check_id(served.adapter_id)
    if target.is_dir():
        if not faults(str(target), served.sha256):
            return target
        log.warning("cached adapter is damaged and fetched again", adapter=served.adapter_id)
        _set_aside(target)
    own = None if store is None else f"{store.rstrip('/')}/{served.adapter_id}"
    places = [place for place in dict.fromkeys((own, served.location)) if place]
    for place in places[:-1]:
        with contextlib.suppress(AdapterMissing):
            return _download(served, place, target)
    return _download(served, places[-1], target)


def discard(location: str) -> None:
    """Remove a stored adapter, its manifest first, so that it is never half there."""
    with _reaching(location):
        fs, place = _open(location)
        if fs.exists(f"{place}/{MANIFEST}"):
            fs.rm_file(f"{place}/{MANIFEST}")
        if fs.exists(place):
            fs.rm(place, recursive=True)


def _download(served: ServedAdapter, location: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    incoming = target.parent / f"{INCOMING}{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with _reaching(location):
            fs, place = _open(location)
            manifest = _read_manifest(fs, place, location, served.sha256)
            _check_room(target.parent, manifest)
            incoming.mkdir()
            for name, file in manifest.files.items():
                with fs.open(f"{place}/{name}", "rb") as source:
                    _write_file(source, incoming / name, file)
            (incoming / MANIFEST).write_bytes(manifest.body())
        return _put(incoming, target, served.sha256)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _store_on_disk(local: Local, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    _check_room(target.parent, local.manifest)
    incoming = target.parent / f"{INCOMING}{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
    incoming.mkdir()
    try:
        for name, file in local.manifest.files.items():
            with (local.folder / name).open("rb") as source:
                _write_file(source, incoming / name, file)
        (incoming / MANIFEST).write_bytes(local.manifest.body())
        _put(incoming, target, local.manifest.sha256)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _store_as_objects(local: Local, fs: Any, place: str) -> None:
    if fs.exists(f"{place}/{MANIFEST}"):
        fs.rm_file(f"{place}/{MANIFEST}")
    for name, file in local.manifest.files.items():
        with (local.folder / name).open("rb") as source, fs.open(f"{place}/{name}", "wb") as goal:
            _copy(source, goal, file, name)
    fs.pipe_file(f"{place}/{MANIFEST}", local.manifest.body())


def _put(incoming: Path, target: Path, sha256: str) -> Path:
    """Give a whole folder its name; if another process was faster, theirs stays."""
    _sync(incoming)
    for _ in range(3):
        try:
            incoming.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            if not faults(str(target), sha256):
                return target
            _set_aside(target)
        else:
            _sync(target.parent)
            return target
    raise StoreUnavailable(f"{target} keeps being replaced by something damaged; look who writes there")


def _write_file(source: IO[bytes], path: Path, file: StoredFile) -> None:
    with path.open("xb") as goal:
        _copy(source, goal, file, path.name)
        goal.flush()
        os.fsync(goal.fileno())


def _copy(source: IO[bytes], goal: IO[bytes], file: StoredFile, name: str) -> None:
    """Copy at most the bytes that are expected; AdapterDamaged if they are others."""
    digest, size = hashlib.sha256(), 0
    while size <= file.size and (chunk := source.read(min(CHUNK, file.size - size + 1))):
        digest.update(chunk)
        size += len(chunk)
        goal.write(chunk)
    if size != file.size or digest.hexdigest() != file.sha256:
        raise AdapterDamaged(
            f"{name}: the bytes that came are not those of the adapter (interrupted or altered); nothing was kept. "
            "Try again; if it stays, `otklik adapters verify` tells whether the store is damaged"
        )


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
            _copy(source, nowhere, file, name)
    except FileNotFoundError:
        return f"{name} is missing"
    except AdapterDamaged:
        return f"{name} is damaged"
    return None


def _open(address: str) -> tuple[Any, str]:
    """File system and path of an address."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    if urlsplit(address).password:
        raise StoreUnavailable(
            "an adapters' store is named without a password, it is told to every worker: give it by fsspec's own "
            "configuration or the storage's environment variables"
        )
    try:
        fs, place = url_to_fs(address)
    except ImportError as error:
        package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
        wanted = package.get(urlsplit(address).scheme)
        advice = f"pip install {wanted}" if wanted else str(error)
        raise StoreUnavailable(f"{address} needs a package that is not installed here: {advice}") from error
    except ValueError as error:
        raise StoreUnavailable(f"{address} is no address that fsspec knows: {error}") from error
    return fs, str(place).rstrip("/")


def _is_disk(fs: Any) -> bool:
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


@contextmanager
def _reaching(address: str) -> Iterator[None]:
    """Whatever a storage's own library raises becomes one sentence."""
    try:
        yield
    except AdapterFilesError:
        raise
    except Exception as error:  # each storage's package has exceptions of its own
        said = next(iter(str(error).splitlines()), "")
        raise StoreUnavailable(
            f"the adapters' store at {address} fails ({type(error).__name__}: {said}); check the address, the rights "
            "and the network"
        ) from error


def _check_room(folder: Path, manifest: Manifest) -> None:
    free = shutil.disk_usage(folder).free
    if free < manifest.size:
        raise StoreUnavailable(f"{folder} has {free >> 20} MB free, the adapter needs {(manifest.size >> 20) + 1} MB")


def _set_aside(folder: Path) -> None:
    """Take a damaged folder away in one step, then remove it; another process may have done it already."""
    aside = folder.parent / f"{ASIDE}{folder.name}-{secrets.token_hex(4)}"
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left."""
    for left in (*folder.glob(f"{INCOMING}*"), *folder.glob(f"{ASIDE}*")):
        with contextlib.suppress(OSError):
            newest = max(one.stat().st_mtime for one in (left, *left.iterdir()))
            if time.time() - newest > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Make names in a folder last; file systems that cannot are left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
