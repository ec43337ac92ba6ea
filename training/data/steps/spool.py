"""Rows laid down on disk, to be read again in another order: eight bytes of memory a row. Knows rows, no step."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.data.rows import Row, dump, parse


class Spool:
    """A file of rows and where each begins. Filled once with `add`, then read as often as wanted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._out = path.open("wb", buffering=1 << 20)
        self._starts = array("Q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, row: Row) -> None:
        """Lay down one row."""
        line = dump(row).encode() + b"\n"
        self._starts.append(self._end)
        self._end += self._out.write(line)

    def read(self, order: Iterable[int] | None = None) -> Iterator[Row]:
        """All rows as they came, or those of `order`."""
        self._out.flush()
        with self._path.open("rb", buffering=1 << 16 if order is None else 1 << 12) as lines:
            if order is None:
                yield from map(parse, lines)
                return
            for index in order:
                lines.seek(self._starts[index])
                yield parse(lines.readline())

    def close(self) -> None:
        """Close and remove the file."""
        self._out.close()
        self._path.unlink(missing_ok=True)
