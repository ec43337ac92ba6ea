"""Where exports come from and go to: hub ids become folders, results appear whole or not at all.

Knows no format.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.export.errors import NoSpace, OutputExists, SourceUnusable
from training.runs import whole

# What an export reads of a hub repository: never pickles.
WANTED = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "merges.txt", "vocab.txt", "README.md", "LICENSE*")
# Copies of the same weights under other names.
UNWANTED = ("consolidated*", "original/*")
SPARE = 64 * 2**20


def local(model: str, revision: str | None = None) -> Path:
    """The folder of a model: the one named, or a download of the hub id."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(model, revision=revision, allow_patterns=list(WANTED), ignore_patterns=list(UNWANTED))
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise SourceUnusable(
            f"{model} is no folder here and could not be fetched from the hub ({type(error).__name__}): check the name "
            "and the network, or download it elsewhere (`hf download`) and name the folder; HF_TOKEN opens gated models"
        ) from None


def require_room(place: Path, needed: int) -> None:
    """NoSpace if the disk under `place` has less than `needed` bytes and a little more."""
    existing = next(parent for parent in (place, *place.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + SPARE:
        raise NoSpace(
            f"{place}: the result takes {_gb(needed)}, but the disk has {_gb(free)} free: make room or name a "
            "folder on another disk"
        )


def require_new(out: Path, force: bool) -> None:
    """OutputExists if something is at `out` and may not be replaced."""
    if not force and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise OutputExists(f"{out} exists already: name another place, or replace it with --force")


def read_text(path: Path) -> str:
    """A file's text; SourceUnusable if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnusable(f"{path} cannot be read as text ({type(error).__name__})") from None


@contextmanager
def new_folder(out: Path, needed: int, force: bool) -> Iterator[Path]:
    """A folder beside `out` to fill; it becomes `out` once it is filled. Nothing is left behind after an error."""
    require_new(out, force)
    require_room(out, needed)
    with _no_space_named(out), whole(out) as fresh:
        yield fresh


@contextmanager
def new_file(out: Path, needed: int, force: bool) -> Iterator[Path]:
    """A file beside `out` to write; it becomes `out` once it is written. Nothing is left behind after an error."""
    require_new(out, force)
    require_room(out, needed)
    fresh = out.with_name(f".{out.name}.new")
    try:
        with _no_space_named(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            yield fresh
            fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _no_space_named(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpace(f"{out}: the disk is full; nothing was left behind. Make room and start again") from None
    except Exception as error:
        # safetensors writes from Rust and wraps the operating system's words.
        if "No space left" not in str(error):
            raise
        raise NoSpace(f"{out}: the disk is full; nothing was left behind. Make room and start again") from None


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
