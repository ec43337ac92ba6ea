"""`otklik data preview` and `otklik data check`: a source's rows shown, its faults listed. Know arguments and screens.

Words of a row are shown as plain text: neither their control characters nor their brackets mean anything.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Styled

from models.logs import log_to_stderr
from storage.contracts import Turn
from training.data.reading import registry
from training.data.reading.files import known
from training.data.reading.preview import SCANNED, Preview
from training.data.reading.preview import preview as look
from training.data.reading.records import BadRecord, ReadError, Unreadable
from training.data.reading.source import Rows, Source, open_source
from training.data.rows import Answer, Dialogue, Feedback, Pair, Row, Text

SHOWN = 600
STYLES = {"system": "dim", "person": "cyan", "bot": "green", "worse": "red", "text": ""}


def preview(argv: list[str]) -> int:
    """`otklik data preview [--read READER] PATH`: the first rows and counts; exit status 2 if it cannot be read."""
    parser = _parser("preview", "The first rows as training sees them, and what kinds there are.")
    parser.add_argument("--count", type=int, default=5, help="rows to show (5)")
    parser.add_argument("--scan", type=int, default=SCANNED, help=f"rows to count ({SCANNED})")
    given = parser.parse_args(argv)
    from storage.settings import StorageSettings

    log_to_stderr(logging.WARNING)
    try:
        found = look(_source(given), given.count, StorageSettings().load_presets(), max(given.count, given.scan))
    except ReadError as error:
        print(error, file=sys.stderr)
        return 2
    Console(soft_wrap=False).print(render(found))
    return 0


def check(argv: list[str]) -> int:
    """`otklik data check [--read READER] PATH`: every fault a line; exit status 1 if there are any or the source is
    empty, 2 if unreadable."""
    given = _parser("check", "Read everything, keep nothing, list all faults.").parse_args(argv)
    from storage.settings import StorageSettings

    log_to_stderr(logging.WARNING)
    faults = 0
    rows: Rows | None = None
    try:
        rows = open_source(_source(given), StorageSettings().load_presets())
        for outcome in _with_bar(rows):
            if isinstance(outcome, BadRecord):
                faults += len(outcome.faults)
                print(*outcome.faults, sep="\n", file=sys.stderr)
    except Unreadable as error:
        faults += 1
        print(error, file=sys.stderr)
        if rows is None:
            return 1
    except ReadError as error:
        print(error, file=sys.stderr)
        return 2
    if not rows.counts.records and not faults:
        print(f"{rows.source.name} holds no record: it is empty, or none of its texts is one", file=sys.stderr)
        return 1
    print(f"reader {rows.reader}: {rows.counts}; {faults or 'no'} fault{'' if faults == 1 else 's'}")
    return 1 if faults else 0


def render(found: Preview) -> Group:
    """A preview for the terminal."""
    table = Table("kind", "rows", "persons", "asked", "answered", title="medians in characters", title_style="dim")
    for name, kind in sorted(found.kinds.items()):
        asked, answered = kind.medians
        persons = str(len(kind.persons)) if kind.persons else "–"
        table.add_row(name, f"{kind.rows:,}", persons, f"{asked:,}", f"{answered:,}" if answered else "–")
    scope = "whole source" if found.whole else "beginning of the source"
    summary = Styled(f"reader {found.reader}; {scope}: {found.counts}")
    return Group(*(_panel(row) for row in found.rows), summary, *([table] if found.kinds else []))


def spoken(row: Row) -> Iterator[tuple[str, str]]:
    """`(who, words)` of a row in reading order."""
    if row.system:
        yield "system", row.system
    match row:
        case Text():
            yield "text", row.text
        case Dialogue():
            yield from _turns(row.turns)
        case Answer() | Feedback():
            yield from _turns(row.prompt)
            yield "bot", row.answer
        case Pair():
            yield from _turns(row.prompt)
            yield "bot", row.chosen
            yield "worse", row.rejected


def printable(words: str, most: int = SHOWN) -> str:
    """Words without control characters, cut to a length."""
    clean = "".join(char if char == "\n" or char.isprintable() else " " for char in words)
    return clean if len(clean) <= most else f"{clean[:most].rstrip()} … ({len(clean):,} characters)"


def _panel(row: Row) -> Panel:
    body = Table.grid(padding=(0, 1))
    for who, words in spoken(row):
        body.add_row(Styled(who, "dim"), Styled(printable(words), STYLES[who]))
    title = Styled(f"{type(row).__name__.lower()} {printable(row.origin, 80)}")
    return Panel(body, title=title, title_align="left", subtitle=Styled(printable(_marks(row), 110)), padding=(0, 1))


def _marks(row: Row) -> str:
    marks: dict[str, Any] = {}
    if row.emotion:
        marks["emotion"] = f"{row.emotion} {row.intensity}"
    if isinstance(row, Feedback):
        marks["thumb"] = "👍" if row.desirable else "👎"
    if isinstance(row, Text) and row.labels is not None:
        marks["labels"] = ", ".join(row.labels) or "none"
    if row.person:
        marks["person"] = row.person
    scores = {name: f"{value:g}" for name, value in row.scores.items()}
    return " · ".join(f"{name}: {value}" for name, value in {**marks, **row.tags, **scores}.items())


def _turns(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    for turn in turns:
        yield ("person" if turn.role == "user" else "bot"), turn.text


def _with_bar(rows: Rows) -> Iterator[Row | BadRecord]:
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("reading", total=1.0)
        for number, outcome in enumerate(rows.outcomes()):
            if number % 1000 == 0:
                bar.update(task, completed=rows.fraction or 0.0)
            yield outcome


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    readers = "\n".join(f"  {reader:<15} {registry.wanted(reader)}" for reader in registry.READERS)
    parser = argparse.ArgumentParser(
        prog=f"otklik data {name}",
        description=description,
        epilog=f"readers and their fields:\n{readers}\n  rows            this product's own rows\n"
        f"  seed            the shipped seed corpus\n\nfiles: {', '.join(known())}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", nargs="?", metavar="PATH", help="a file or folder; none for --read seed")
    parser.add_argument("--read", choices=get_args(registry.Name), default="auto", help="the reader (auto)")
    parser.add_argument("--hub", action="store_true", help="PATH is a data set's id on the hub")
    parser.add_argument(
        "--field", action="append", default=[], metavar="NAME=FIELD", help="what a reader's field is called here"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any other key of a source in a recipe"
    )
    return parser


def _source(given: argparse.Namespace) -> Source:
    raw: dict[str, Any] = {"read": given.read}
    if given.path:
        raw["hub" if given.hub else "path"] = given.path if given.hub else Path(given.path)
    pairs = [("--field", one) for one in given.field] + [("--set", one) for one in given.set]
    for option, pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ReadError(f"{option} {pair}: write it as {'NAME=FIELD' if option == '--field' else 'KEY=VALUE'}")
        target = raw.setdefault("fields", {}) if option == "--field" else raw
        target[key] = yaml.safe_load(value)
    try:
        return Source.model_validate(raw)
    except ValidationError as error:
        faults = "\n".join(f"  {'.'.join(map(str, one['loc'])) or 'source'}: {one['msg']}" for one in error.errors())
        raise ReadError(f"this source cannot be:\n{faults}") from None
