"""A source in a recipe → rows, one at a time: files or a hub's data set, read by a named reader or the one that fits.

Knows where records come from and what to do with bad ones; formats, fields and kinds of rows are the other files'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.presets import Presets
from training.data import seed_pairs, sources
from training.data.reading import files, hub, registry, sections, shipped
from training.data.reading.fields import Options
from training.data.reading.records import BadRecord, Counts, Fault, LeftOut, ReadError, Unreadable
from training.data.rows import Row

log = structlog.get_logger(__name__)

MOST_FAULTS = 20
# A bad row is looked for company this far, not to the end of a hub's whole set.
FAULT_HORIZON = 100_000
PEEKED = 200
SEED_KINDS = ("answer", "pair")


class Source(BaseModel):
    """Where rows come from: the part of a recipe that a set is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = Field(default=None, description="A file, or a folder with files of one kind.")
    hub: str | None = Field(default=None, description="A data set's id on the hub, or a folder as `datasets` has it.")
    config: str | None = Field(default=None, description="The hub's name for a part of the data set.")
    split: str = Field(default="train", description="The hub's split.")
    revision: str | None = Field(default=None, description="The hub's commit, branch or tag; name a commit to repeat.")
    read: registry.Name = Field(default="auto", description="The reader; auto: the one that the first record fits.")
    kind: Literal["answer", "dialogue", "feedback", "pair"] | None = Field(
        default=None,
        description="Kind of rows where a reader can make two: chat (dialogue), tickets (feedback), seed (pair).",
    )
    fields: dict[str, str | None] = Field(
        default_factory=dict, description="The reader's name of a field → its name here (`a.b` inside); null: ignored."
    )
    tags: tuple[str, ...] = Field(default=(), description="Further fields to keep as tags.")
    person: str | None = Field(default=None, description="The field that says whose words these are; kept as a hash.")
    first: Literal["user", "assistant"] = Field(default="user", description="Who begins a dialogue without roles.")
    unit: Literal["line", "paragraph"] = Field(default="line", description="What one text of a document is.")
    encoding: str | None = Field(default=None, description="Of text files; unset: UTF-8, UTF-16 by mark, Windows-1251.")
    wordings: bool = Field(default=False, description="Seed corpus: also each other wording of a message.")
    contrast: seed_pairs.Contrast = Field(
        default="emotion", description="Seed corpus, pairs: what the worse answer misses."
    )
    bad_rows: Literal["stop", "skip"] = Field(default="stop", description="Stop with the faults, or skip and count.")
    limit: int | None = Field(default=None, ge=1, description="No more rows than this.")

    @model_validator(mode="after")
    def _consistent(self) -> Source:
        given = [name for name in ("path", "hub") if getattr(self, name) is not None]
        if len(given) > 1 or (not given and self.read != "seed"):
            raise ValueError("give either `path` or `hub`")
        if self.read == "seed" and self.hub:
            raise ValueError("the seed corpus is read from a folder, not from a hub")
        if self.read != "auto" and (wrong := wrong_kind(self.read, self.kind)):
            raise ValueError(wrong)
        return self

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.hub or (self.path.name if self.path else "the seed corpus")


class Rows(Iterator[Row]):
    """The rows of a source. `counts` and `fraction` grow while it is read; `reader` says how it is read.

    Raises ReadError: for what cannot be read at once, for bad rows with up to MOST_FAULTS faults after good ones.
    """

    def __init__(self, source: Source, presets: Presets) -> None:
        self.source = source
        self.reader: str = source.read
        self.counts = Counts()
        self._presets = presets
        self._files = local_files(source) if source.path and source.read != "seed" else []
        self._names = named(source, self._files)
        self._total = sum(path.stat().st_size for path in self._files)
        self._finished = 0
        self._opened: files.Opened | None = None
        self._outcomes = self._limited(self._read())
        self._rows = self._judged()

    def __next__(self) -> Row:
        return next(self._rows)

    @property
    def fraction(self) -> float | None:
        """Share of the bytes on disk that was read, 0 to 1; None if nobody can know."""
        if not self._total:
            return None
        return min(1.0, (self._finished + (self._opened.done if self._opened else 0)) / self._total)

    def outcomes(self) -> Iterator[Row | BadRecord]:
        """Rows and bad records as they come, none judged; to be used instead of iterating over the rows."""
        return self._outcomes

    def _judged(self) -> Iterator[Row]:
        faults: list[Fault] = []
        horizon = 0
        try:
            for outcome in self._outcomes:
                if isinstance(outcome, BadRecord):
                    faults += self._fatal(outcome)
                    horizon = horizon or self.counts.records + FAULT_HORIZON
                elif not faults:
                    yield outcome
                if faults and (len(faults) >= MOST_FAULTS or self.counts.records > horizon):
                    break
        except Unreadable as error:
            faults.append(error.fault)
        if faults:
            raise ReadError(report(faults))
        if self.counts.skipped:
            log.warning("bad rows skipped", source=self.source.name, skipped=self.counts.skipped)

    def _fatal(self, bad: BadRecord) -> tuple[Fault, ...]:
        if self.source.bad_rows == "stop":
            return bad.faults
        self.counts.skipped += 1
        return ()

    def _limited(self, outcomes: Iterable[Row | BadRecord]) -> Iterator[Row | BadRecord]:
        for outcome in outcomes:
            self.counts.rows += isinstance(outcome, Row)
            yield outcome
            if self.counts.rows == self.source.limit:
                return

    def _read(self) -> Iterator[Row | BadRecord]:
        source = self.source
        if source.read == "seed":
            made: Iterator[Row | BadRecord] = (
                shipped.pairs(source.path, self._presets, source.wordings, source.contrast)
                if source.kind == "pair"
                else shipped.read(source.path, self._presets, source.wordings)
            )
            for outcome in made:
                self.counts.records += 1
                yield outcome
        elif source.hub:
            yield from self._made(hub.read(source.hub, source.config, source.split, source.revision))
        for path in self._files:
            records = files.read(path, source.encoding, self._open, self._names[path])
            yield from self._made(self._sectioned(records) if files.kind(path) in files.LINES else records)
            self._finished, self._opened = self._finished + path.stat().st_size, None

    def _open(self, opened: files.Opened) -> None:
        self._opened = opened

    def _sectioned(self, lines: Iterator[files.Outcome]) -> Iterator[files.Outcome]:
        """A document's lines as the records that the reader is to have."""
        if self.reader == "auto":
            peeked = list(islice(lines, PEEKED))
            lines = chain(peeked, lines)
            self._choose(registry.for_document(peeked))
        headings = registry.headings(self.reader)
        if headings:
            return sections.sections(lines, headings)
        if self.source.unit == "paragraph":
            return sections.paragraphs(lines)
        return (one for one in lines if isinstance(one, BadRecord) or str(one.fields["text"]).strip())

    def _made(self, records: Iterable[files.Outcome]) -> Iterator[Row | BadRecord]:
        source = self.source
        options = Options(self._presets, source.fields, source.person, source.tags, source.kind, source.first)
        for record in records:
            self.counts.records += 1
            if isinstance(record, BadRecord):
                yield record
                continue
            if self.reader == "auto":
                self._choose(registry.choose(record, source.fields))
            try:
                yield from registry.make(self.reader, record, options)
            except LeftOut:
                self.counts.left_out += 1
            except BadRecord as error:
                yield error

    def _choose(self, reader: str) -> None:
        self.reader = reader
        _tell_reader(self.source.path or self.source.name, self.source.name, reader)
        if wrong := wrong_kind(reader, self.source.kind):
            raise ReadError(f"{self.source.name}: {wrong}")


def open_source(source: Source, presets: Presets) -> Rows:
    """The rows of a source, streamed; ReadError (a RecipeError) for what cannot be read."""
    return Rows(source, presets)


def local_files(source: Source) -> list[Path]:
    """The files that a source is read from, in order; none for a hub's data set."""
    if source.read == "seed":
        return shipped.files(source.path)
    if source.path:
        return files.list_files(source.path.expanduser())
    return files.list_files(Path(source.hub)) if source.hub and Path(source.hub).is_dir() else []


def hashes(source: Source) -> dict[str, str]:
    """SHA-256 of every local file by its name under the source's path; for a hub, the commit that is read now."""
    found = local_files(source)
    if not found and source.hub:
        return {f"hub:{source.hub}": hub.revision(source.hub, source.revision)}
    return {name: sources.sha256(path) for path, name in named(source, found).items()}


def named(source: Source, found: Sequence[Path]) -> dict[Path, str]:
    """Files with their names under the source's folder, the same on every machine."""
    root = source.path.expanduser() if source.path else Path(source.hub or "")
    inside = source.read != "seed" and root.is_dir()
    return {path: path.relative_to(root).as_posix() if inside else path.name for path in found}


@cache
def _tell_reader(place: Path | str, source: str, reader: str) -> None:
    """Once in a process and place: a run looks at a source's first rows before it reads them all."""
    log.info("reader chosen by the first record", source=source, reader=reader)


def report(faults: Sequence[Fault]) -> str:
    """Faults as an operator reads them."""
    if len(faults) == 1:
        return str(faults[0])
    many = f"the first {len(faults)} faults" if len(faults) >= MOST_FAULTS else f"{len(faults)} faults"
    lines = "\n".join(f"  {fault}" for fault in faults)
    return f"{many}; mend them, or pass over such rows with `bad_rows: skip`:\n{lines}"


def wrong_kind(reader: str, kind: str | None) -> str:
    """Why a reader cannot make a kind of rows; "" if it can."""
    known = SEED_KINDS if reader == "seed" else registry.READERS[reader].kinds if reader in registry.READERS else ()
    if kind is None or kind in known:
        return ""
    return f"reader {reader} makes {' or '.join(known)} rows" if known else f"reader {reader}: leave `kind` out"
