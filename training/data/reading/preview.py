"""The first rows of a source and counts of the ones after them. Knows rows; rendering is the command's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import median

from storage.presets import Presets, load_presets
from training.data.reading.records import Counts
from training.data.reading.source import Source, open_source
from training.data.rows import Answer, Dialogue, Feedback, Pair, Row, Text

SCANNED = 10_000


@dataclass
class Kind:
    """Counts of one kind of rows; lengths are in characters."""

    rows: int = 0
    persons: set[str] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)

    @property
    def medians(self) -> tuple[int, int]:
        """Median lengths of what is asked and of what is answered; 0 for what a kind does not have."""
        return round(median(self.asked or [0])), round(median(self.answered or [0]))


@dataclass(frozen=True)
class Preview:
    """What `otklik data preview` shows."""

    reader: str
    rows: Sequence[Row]
    kinds: dict[str, Kind]
    counts: Counts
    whole: bool


def preview(source: Source, count: int = 5, presets: Presets | None = None, scanned: int = SCANNED) -> Preview:
    """The first `count` rows, and counts over the first `scanned` ones. ReadError as in reading."""
    rows = open_source(source, presets or load_presets())
    kinds: dict[str, Kind] = {}
    first: list[Row] = []
    for row in islice(rows, scanned):
        if len(first) < count:
            first.append(row)
        _count(kinds.setdefault(type(row).__name__.lower(), Kind()), row)
    counts = replace(rows.counts)
    return Preview(rows.reader, first, kinds, counts, whole=counts.rows < scanned or next(rows, None) is None)


def _count(kind: Kind, row: Row) -> None:
    kind.rows += 1
    if row.person:
        kind.persons.add(row.person)
    match row:
        case Text():
            kind.asked.append(len(row.text))
        case Dialogue():
            kind.asked.append(sum(len(turn.text) for turn in row.turns))
        case Answer() | Feedback():
            kind.asked.append(sum(len(turn.text) for turn in row.prompt))
            kind.answered.append(len(row.answer))
        case Pair():
            kind.asked.append(sum(len(turn.text) for turn in row.prompt))
            kind.answered.append(len(row.chosen))
