"""Local files → records, streamed: each format by its suffix, plain or `.xz`.

Knows suffixes, encodings and places on disk; nothing of what the fields mean. A record that is broken comes as a
`BadRecord`, so that reading goes on; a file that is broken raises `Unreadable`.
"""

from __future__ import annotations

import codecs
import io
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from training.data import sets
from training.data.reading import documents, objects, tables
from training.data.reading.records import BadRecord, Record, Unreadable

log = structlog.get_logger(__name__)

Outcome = Record | BadRecord
PACKED = ".xz"
SNIFFED = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


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
        if suffix in documents.SUFFIXES:
            yield from documents.read(path, name)
            return
        with path.open("rb") as raw:
            if opened:
                opened(Opened(raw, path.stat().st_size))
            yield from _records(path, name, _unpacked(path, raw), encoding)
    except (lzma.LZMAError, EOFError) as error:
        raise Unreadable(name, f"the archive is damaged or cut short ({error})") from None
    except UnicodeError:
        wrong = encoding or "the encoding that its beginning is in"
        hint = "name the right one with `encoding`, e.g. utf-8 or cp1251"
        raise Unreadable(name, f"not written in {wrong}; {hint}") from None
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


def guess(beginning: bytes) -> str:
    """The encoding that fits a file's first bytes, which may end inside a character."""
    for mark, name in _MARKS:
        if beginning.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return "cp1251"
    return "utf-8"


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    return lzma.open(raw) if path.suffix.lower() == PACKED else raw


def _records(path: Path, name: str, handle: IO[bytes], encoding: str | None) -> Iterator[Outcome]:
    suffix = kind(path)
    if suffix == ".parquet":
        yield from tables.read_parquet(handle, name)
        return
    chosen = encoding or _guessed(path, name)
    # csv keeps line ends inside quotes as they are.
    newline = "" if TEXTS[suffix] is tables.read_csv else None
    try:
        stream = io.TextIOWrapper(handle, encoding=chosen, newline=newline)
    except LookupError:
        raise Unreadable(name, f"there is no encoding '{chosen}'; e.g. utf-8 or cp1251") from None
    with stream:
        yield from TEXTS[suffix](stream, name)


def _guessed(path: Path, name: str) -> str:
    with path.open("rb") as raw:
        chosen = guess(_unpacked(path, raw).read(SNIFFED))
    if chosen == "cp1251":
        log.warning("read as Windows-1251; name another encoding with `encoding`", file=name)
    return chosen


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
