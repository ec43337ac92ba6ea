"""JSON lines and JSON → records, one at a time. Knows JSON, nothing of what the fields mean."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from training.data.reading.json_lines import Starts
from training.data.reading.records import LONGEST, BadRecord, Fault, Record, Unreadable, name_type

# A JSON file may wrap its rows: {"data": [...]}.
MARK = "\ufeff"
WRAPPERS = ("data", "train", "rows", "items", "examples")


def lines(stream: io.TextIOWrapper, name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends; Unreadable for one that would fill the memory."""
    number = 0
    while line := stream.readline(LONGEST):
        number += 1
        if len(line) >= LONGEST:
            raise Unreadable(f"{name}:{number}", f"a line of more than {LONGEST // 10**6} million characters")
        # Files put together one behind the other bring their byte order marks along.
        yield number, line.rstrip("\n").lstrip(MARK)


def read_lines(stream: io.TextIOWrapper, name: str) -> Iterator[Record | BadRecord]:
    """One object a line; empty lines are passed over."""
    for number, line in lines(stream, name):
        if line and not line.isspace():
            yield _object(f"{name}:{number}", line)


def read_json(stream: io.TextIOWrapper, name: str) -> Iterator[Record | BadRecord]:
    """An array of objects, the same under one of WRAPPERS, one object, or several one after another.

    Places are `name:line, row number`: the line that the row begins on, which may hold several.
    """
    import ijson  # type: ignore[import-untyped]

    source = _Bytes(stream)
    number = 0
    try:
        for number, value in enumerate(_values(ijson, source), 1):
            yield _as_record(f"{name}:{source.starts.next()}, row {number}", value)
    except ijson.JSONError as error:
        reason = str(error).splitlines()[0].partition("error: ")[2] or "it ends too early"
        place = f"{name}:{source.starts.next()}, row {number + 1}"
        raise Unreadable(place, f"no valid JSON in this row ({reason})") from None


def _object(place: str, line: str) -> Record | BadRecord:
    try:
        return _as_record(place, json.loads(line))
    except json.JSONDecodeError as error:
        return BadRecord([Fault(place, "", f"no valid JSON: {error.msg} at column {error.colno}")])
    except RecursionError:
        return BadRecord([Fault(place, "", "JSON nested too deeply")])


def _as_record(place: str, value: Any) -> Record | BadRecord:
    if isinstance(value, dict):
        return Record(place, value)
    return BadRecord([Fault(place, "", f"expected an object with named fields, got {name_type(value)}")])


def _values(ijson: Any, source: _Bytes) -> Iterable[Any]:
    return cast(
        Iterable[Any],
        ijson.items(source, prefix(source.head), use_float=True, multiple_values=prefix(source.head) == ""),
    )


def prefix(head: bytes) -> str:
    """Where ijson finds the rows, by how a file begins."""
    head = head.lstrip()
    if head[:1] == b"[":
        return "item"
    key, _, after = head[1:].lstrip().partition(b":")
    for wrapper in WRAPPERS:
        if key.strip() == f'"{wrapper}"'.encode() and after.lstrip()[:1] == b"[":
            return f"{wrapper}.item"
    return ""


class _Bytes:
    """A text stream as the UTF-8 bytes that ijson wants, whatever it was written in; `head` is how it begins."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self.head = stream.read(1024).lstrip(MARK).encode()
        self.starts = Starts({"": 0, "item": 1}.get(prefix(self.head), 2))
        self._waiting = self.head

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        head, self._waiting = self._waiting, b""
        given = head or self._stream.read(size).encode()
        self.starts.feed(given)
        return given
