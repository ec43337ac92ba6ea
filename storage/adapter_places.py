"""Places where adapters' files lie: addresses that fsspec opens, folders written whole, bytes checked while copied.

Knows hashes and names, and nothing of which adapter is meant.
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
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from storage.adapter_manifest import (
    CHUNK,
    MANIFEST,
    AdapterDamaged,
    AdapterFilesError,
    Manifest,
    StoredFile,
    StoreUnavailable,
)

INCOMING, ASIDE = ".incoming-", ".damaged-"
ABANDONED_SECONDS = 86400.0
UNUSED_SECONDS = 30 * 86400.0


def write_file(source: IO[bytes], path: Path, file: StoredFile) -> None:
    """Copy into a new file and make it last."""
    with path.open("xb") as goal:
        copy(source, goal, file, path.name)
        goal.flush()
        os.fsync(goal.fileno())


def copy(source: IO[bytes], goal: IO[bytes], file: StoredFile, name: str) -> None:
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


def open_address(address: str) -> tuple[Any, str]:
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


def is_disk(fs: Any) -> bool:
    """Whether folders can be renamed in one step there."""
    return "file" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


@contextmanager
def reaching(address: str) -> Iterator[None]:
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


def check_room(folder: Path, manifest: Manifest) -> None:
    """StoreUnavailable unless all files fit."""
    free = shutil.disk_usage(folder).free
    if free < manifest.size:
        raise StoreUnavailable(f"{folder} has {free >> 20} MB free, the adapter needs {(manifest.size >> 20) + 1} MB")


def set_aside(folder: Path) -> None:
    """Take a folder away in one step, then remove it; another process may have done it already."""
    aside = folder.parent / f"{ASIDE}{folder.name}-{secrets.token_hex(4)}"
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def prune(cache: Path) -> None:
    """Remove cached adapters that nobody has asked for in a month; the store still has what is needed."""
    for kept in cache.glob(f"a-*/{MANIFEST}"):
        with contextlib.suppress(OSError):
            if time.time() - kept.parent.stat().st_mtime > UNUSED_SECONDS:
                set_aside(kept.parent)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left."""
    for left in (*folder.glob(f"{INCOMING}*"), *folder.glob(f"{ASIDE}*")):
        with contextlib.suppress(OSError):
            newest = max(one.stat().st_mtime for one in (left, *left.iterdir()))
            if time.time() - newest > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


def sync(folder: Path) -> None:
    """Make names in a folder last; file systems that cannot are left alone."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
