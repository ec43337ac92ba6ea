"""What readers are given and what goes wrong with it: records with their place, faults with theirs.

Knows no file format and no kind of row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.recipes import RecipeError

# More characters than any honest record has; a file without line ends must not fill the memory.
LONGEST = 64 << 20


class ReadError(RecipeError):
    """A source cannot be read, or holds bad rows; the message names every place and what was expected there."""


@dataclass(frozen=True)
class Record:
    """One raw record: a JSON object, a table's row, or a document's line under the name `text`."""

    place: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Fault:
    """What is wrong where. Never carries the words of a record, since they may be a person's."""

    place: str
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.field}: {self.reason}" if self.field else f"{self.place}: {self.reason}"


class BadRecord(ValueError):
    """A record that no row can be made of, with all its faults."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


class LeftOut(Exception):
    """A record that gives no row without being wrong: a question that nobody has answered yet."""


class Unreadable(ReadError):
    """A file, an archive or a hub that cannot be read on from here."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.fault = Fault(place, "", reason)


@dataclass
class Counts:
    """What became of the records of a source; grows while it is read."""

    records: int = 0
    rows: int = 0
    skipped: int = field(default=0)
    left_out: int = field(default=0)

    def __str__(self) -> str:
        parts = [f"{self.records} records", f"{self.rows} rows"]
        if self.left_out:
            parts.append(f"{self.left_out} without an answer or label left out")
        if self.skipped:
            parts.append(f"{self.skipped} bad ones skipped")
        return ", ".join(parts)


def name_type(value: Any) -> str:
    """What a person calls the type of a JSON value."""
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return "nothing (null)" if value is None else names.get(type(value), type(value).__name__)
