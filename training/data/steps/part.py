"""What every step is: a part of a recipe that turns a stream of rows into another and counts what it did.

Knows no particular step, and nothing of sources or sets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from storage.presets import Presets
from training.data.rows import Row


@dataclass
class Counts:
    """What one step did: rows in and out, rows changed, rows dropped by reason, and things found in texts."""

    entered: int = 0
    left: int = 0
    changed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The manifest's entry, without what is zero or empty."""
        entry: dict[str, Any] = {"in": self.entered, "out": self.left}
        if self.changed:
            entry["changed"] = self.changed
        for name, counter in (("dropped", self.dropped), ("found", self.found)):
            if counter:
                entry[name] = dict(sorted(counter.items()))
        return entry


@dataclass(frozen=True)
class Context:
    """What a step may use beside its rows. `work` is an empty folder of this step's own, removed afterwards."""

    presets: Presets
    seed: int
    work: Path


@dataclass(frozen=True)
class Input:
    """A folder (or hub id) that a step reads, and which of its files matter."""

    place: str
    patterns: tuple[str, ...] = ("*",)


class Part(BaseModel, ABC):
    """A step as recipes write it; every subclass has `step: Literal[…]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        """The rows that go on. Subclasses count what they change and drop; `run` counts what comes and goes."""

    def inputs(self) -> tuple[Input, ...]:
        """Folders or hub ids whose content shapes the result."""
        return ()

    def tools(self) -> tuple[str, ...]:
        """Packages whose version shapes the result."""
        return ()


def run(part: Part, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
    """A step over a stream, counting what comes and goes."""
    for row in part.apply(_entering(rows, counts), counts, context):
        counts.left += 1
        yield row


def each(rows: Iterator[Row], counts: Counts, decide: Callable[[Row], Row | str]) -> Iterator[Row]:
    """Decide about every row alone: the row itself, a changed one, or the reason to drop it."""
    for row in rows:
        result = decide(row)
        if isinstance(result, str):
            counts.dropped[result] += 1
            continue
        counts.changed += result is not row
        yield result


def _entering(rows: Iterator[Row], counts: Counts) -> Iterator[Row]:
    for row in rows:
        counts.entered += 1
        yield row
