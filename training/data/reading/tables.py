"""Tables → records: csv with any usual delimiter, parquet in batches. Knows columns, nothing of what they mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO, Any

from training.data.reading.objects import MARK
from training.data.reading.records import LONGEST, BadRecord, Fault, Record, Unreadable

DELIMITERS = ",;\t|"
SAMPLED_LINES = 50
BATCH = 1024


def read_csv(stream: io.TextIOWrapper, name: str) -> Iterator[Record | BadRecord]:
    """A row a record, named by the header; a place is the line that the row begins on.

    Sets the csv module's field limit, which is one for the whole process.
    """
    csv.field_size_limit(LONGEST)
    lines = _lines(stream, name)
    sample = list(islice(lines, SAMPLED_LINES))
    rows = csv.reader(chain(sample, lines), delimiter=delimiter("".join(sample)), strict=True)
    header: list[str] | None = None
    while True:
        place = f"{name}:{rows.line_num + 1}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRecord([Fault(place, "", f"no valid csv: {error}; is a quotation mark left open?")])
            continue
        if header is None:
            header = _header(row, place)
        elif row:
            yield _row(place, header, row)


def read_parquet(handle: IO[bytes], name: str) -> Iterator[Record]:
    """A row a record; a place is the row's number from 1."""
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        for batch in parquet.ParquetFile(handle).iter_batches(batch_size=BATCH):
            for row in batch.to_pylist():
                number += 1
                yield Record(f"{name}:{number}", row)
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise Unreadable(f"{name}:{number + 1}", f"no valid parquet: {reason}") from None


def delimiter(sample: str) -> str:
    """The delimiter that splits the header into most columns, and the rows below into as many as the header.

    The csv module's own sniffer guesses by letters' frequencies, which commas in Russian prose mislead.
    """

    def fit(candidate: str) -> tuple[int, float]:
        rows = _parsed(sample, candidate)
        if not rows:
            return 1, 0.0
        wide = len(rows[0])
        return wide, sum(len(row) == wide for row in rows) / len(rows)

    return max(DELIMITERS, key=fit)


def _lines(stream: io.TextIOWrapper, name: str) -> Iterator[str]:
    number = 0
    while line := stream.readline(LONGEST):
        number += 1
        if len(line) >= LONGEST:
            raise Unreadable(f"{name}:{number}", f"a line of more than {LONGEST // 10**6} million characters")
        yield line.lstrip(MARK) if number == 1 else line


def _parsed(sample: str, candidate: str) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=candidate):
            if row:
                found.append(row)
    except csv.Error:
        pass
    # The last one may be cut by the sample's end.
    return found[:-1] if len(found) > 2 else found


def _header(row: list[str], place: str) -> list[str]:
    names = [name.strip() for name in row]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise Unreadable(place, f"the header names a column twice: {', '.join(twice)}")
    return names


def _row(place: str, header: list[str], row: list[str]) -> Record | BadRecord:
    if len(row) != len(header):
        return BadRecord([Fault(place, "", f"{len(row)} columns where the header has {len(header)}")])
    fields: dict[str, Any] = dict(zip(header, row, strict=True))
    return Record(place, fields)
