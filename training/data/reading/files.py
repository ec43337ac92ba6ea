"""Local files → records, streamed: each format by its suffix, plain or `.xz`.

Knows suffixes, encodings and places on disk; nothing of what the fields mean. A record that is broken comes as a
`BadRecord`, so that reading goes on; a file that is broken raises `Unreadable`.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import structlog

from training.data import sets
from training.data.reading import documents, encodings, objects, tables
from training.data.reading.encodings import PACKED
from training.data.reading.records import BadRecord, Record, Unreadable

log = structlog.get_logger(__name__)

Outcome = Record | BadRecord


@dataclass
class Opened:
    """A file being read, for a progress bar: bytes on disk, also of a packed one."""

    handle: IO[bytes]
    size: int

    @property
    def done(self) -> int:
        """Bytes read so far; all of them once the file is closed."""
        return self.size if self.handle.closed else self.handle.tell()


def read(
    path: Path,
    encoding: str | None = None,
    opened: Callable[[Opened], None] | None = None,
    name: str | None = None,
) -> Iterator[Outcome]:
    """The records of one file, known by its name or the one given.

    Places are `name:line` (text, JSON lines, csv) or `name:row` (parquet, JSON arrays).
    Raises Unreadable for an unknown suffix, a wrong encoding, a damaged file or a missing converter.
    """
    suffix, name = kind(path), name or path.name
    if suffix not in SUFFIXES:
        raise Unreadable(name, f"no reader for '{suffix or 'no suffix'}'; known: {', '.join(known())}")
    try:
        if suffix in documents.SUFFIXES and not _text_named_doc(path, name):
            yield from documents.read(path, name)
            return
        with path.open("rb") as raw:
            if opened:
                opened(Opened(raw, path.stat().st_size))
            yield from _records(path, name, _unpacked(path, raw), encoding)
    except (lzma.LZMAError, EOFError) as error:
        raise Unreadable(name, f"the archive is damaged or cut short ({error})") from None
    except UnicodeError:
        raise encodings.fault(path, name, encodings.choose(path, name, encoding)[0]) from None
    except FileNotFoundError:
        raise Unreadable(str(path), "there is no such file") from None
    except OSError as error:
        raise Unreadable(str(path), f"cannot be read: {error.strerror or error}") from None


def kind(path: Path) -> str:
    """The suffix that tells the format: `.jsonl` of `a.jsonl.xz`."""
    suffix = path.suffix.lower()
    if suffix != PACKED:
        return suffix
    inner = Path(path.stem).suffix.lower()
    return inner if inner in TEXTS else suffix


def known() -> list[str]:
    """Suffixes that can be read."""
    return [*SUFFIXES, *(suffix + PACKED for suffix in TEXTS)]


def list_files(path: Path) -> list[Path]:
    """The file itself, every readable file of a folder and its folders by name, or a prepared set's training rows."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Unreadable(str(path), "there is no such file or folder")
    if all((path / name).is_file() for name in (sets.TRAIN, sets.HELD_OUT, sets.MANIFEST)):
        # A prepared set: what it held out must not be learned.
        return [path / sets.TRAIN]
    hidden = (".", "~")
    files = (one for one in path.rglob("*") if not any(part.startswith(hidden) for part in one.relative_to(path).parts))
    found = sorted(one for one in files if kind(one) in SUFFIXES and one.is_file())
    if not found:
        raise Unreadable(str(path), f"holds no file that can be read; known: {', '.join(known())}")
    return found


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    return lzma.open(raw) if path.suffix.lower() == PACKED else raw


def _records(path: Path, name: str, handle: IO[bytes], encoding: str | None) -> Iterator[Outcome]:
    suffix = kind(path)
    if suffix == ".parquet":
        yield from tables.read_parquet(handle, name)
        return
    chosen, told = encodings.choose(path, name, encoding)
    if told:
        _tell(path, name, f"{told}; name another encoding with `encoding`")
    # csv keeps line ends inside quotes as they are.
    reader = TEXTS.get(suffix, _text)
    newline = "" if reader is tables.read_csv else None
    stream = io.TextIOWrapper(handle, encoding=chosen, newline=newline)
    with stream:
        yield from reader(stream, name)


def _text_named_doc(path: Path, name: str) -> bool:
    """Old programs wrote plain text under this name: it is read as such, line by line, and said once."""
    if path.suffix.lower() != ".doc" or documents.sniff(path) != "text":
        return False
    _tell(path, name, "plain text, though its name says Word")
    return True


@cache
def _tell(path: Path, name: str, told: str) -> None:
    """Once in a process and path: a run looks at a file's first rows before it reads them all."""
    log.warning(f"read as {told}", file=name)


def _text(stream: io.TextIOWrapper, name: str) -> Iterator[Record]:
    for number, line in objects.lines(stream, name):
        yield Record(f"{name}:{number}", {"text": line})


TEXTS: dict[str, Callable[[io.TextIOWrapper, str], Iterator[Outcome]]] = {
    ".txt": _text,
    ".md": _text,
    ".jsonl": objects.read_lines,
    ".ndjson": objects.read_lines,
    ".json": objects.read_json,
    ".csv": tables.read_csv,
    ".tsv": tables.read_csv,
}
SUFFIXES = (*TEXTS, ".parquet", *documents.SUFFIXES)
# A line of these is no record of its own.
LINES = (".txt", ".md", *documents.SUFFIXES)
