"""The readers by name, and which one fits a record. Knows the readers, no file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from training.data.reading import desk, judged, plain, talks
from training.data.reading.fields import Fields, Options, folded, lookup
from training.data.reading.records import BadRecord, Fault, ReadError, Record
from training.data.reading.sections import heading
from training.data.rows import Row

Name = Literal[
    "auto", "instruction", "chat", "qa", "pairs", "feedback", "dialogue", "knowledge_base", "tickets", "text",
    "emotions", "rows", "seed",
]  # fmt: skip
ROW_KINDS = ("answer", "pair", "feedback", "dialogue", "text")


@dataclass(frozen=True)
class Reader:
    """How one kind of record is read. `needs`: each group asks for one of its names."""

    make: Callable[[Fields], list[Row]]
    needs: Sequence[Sequence[str]]
    headings: Mapping[str, str] | None = None
    kinds: Sequence[str] = ()

    def fits(self, record: Record, names: Mapping[str, str | None], empty: bool = False) -> bool:
        """Whether a record has the fields; `empty`: even such that hold nothing (null)."""
        values = folded(record.fields)

        def there(name: str | None) -> bool:
            return lookup(values, name) is not None or (empty and name is not None and name.casefold() in values)

        return all(any(there(names.get(name, name)) for name in group) for group in self.needs)


# In the order that `auto` asks in: the more particular first.
READERS: dict[str, Reader] = {
    "chat": Reader(talks.chat, (("messages", "conversations", "conversation"),), kinds=("answer", "dialogue")),
    "pairs": Reader(judged.pairs, (("chosen",), ("rejected",))),
    "tickets": Reader(desk.ticket, (("question",), ("answer",), ("solved",)), desk.TICKET, ("answer", "feedback")),
    "feedback": Reader(
        judged.feedback,
        (("prompt", "question"), ("completion", "answer", "response"), ("label", "thumb", "desirable")),
    ),
    "dialogue": Reader(talks.dialogue, (("turns", "dialogue", "dialog", "utterances"),)),
    "instruction": Reader(plain.instruction, (("instruction",), ("output",))),
    "qa": Reader(plain.question, (("question", "prompt"), ("answer", "completion", "response"))),
    "knowledge_base": Reader(desk.article, (("title",), ("body",)), desk.ARTICLE),
    "text": Reader(plain.text, (("text", "sentence"),)),
    "emotions": Reader(plain.emotions, (("text",), ("labels", "label", "intensity"))),
}


def choose(record: Record, names: Mapping[str, str | None]) -> str:
    """The reader that a record's fields fit; ReadError lists what they would have to be."""
    kind: Any = record.fields.get("kind")
    if kind in ROW_KINDS and {"prompt", "turns", "text"} & record.fields.keys():
        return "rows"
    # A table has all its columns in every row: those that hold something say more than those that are there.
    for empty in (False, True):
        for name, reader in READERS.items():
            if reader.fits(record, names, empty):
                return name
    there = ", ".join(map(str, list(record.fields)[:12])) or "none"
    known = "\n".join(f"  {name}: {wanted(name)}" for name in READERS)
    raise ReadError(
        f"{record.place}: no reader fits these fields: {there}; name one with `read` and say with `fields` what its "
        f"fields are called here:\n{known}"
    )


def for_document(lines: Iterable[Record | BadRecord]) -> str:
    """The reader for a document by its first heading; `text` if it has none that is known."""
    for line in lines:
        for name, reader in READERS.items():
            if isinstance(line, Record) and reader.headings and heading(str(line.fields["text"]), reader.headings):
                return name
    return "text"


def headings(name: str) -> Mapping[str, str] | None:
    """The headings of a reader whose records are sections of a document."""
    return READERS[name].headings if name in READERS else None


def wanted(name: str) -> str:
    """The fields that a reader needs, for people."""
    return ", ".join(" or ".join(group) for group in READERS[name].needs)


def make(name: str, record: Record, options: Options) -> list[Row]:
    """The rows of a record; BadRecord with all faults, LeftOut if there is nothing to learn from it.

    ReadError for a name in `fields` that the reader does not know.
    """
    try:
        if name == "rows":
            return plain.rows(record)
        fields = Fields(record, options)
        made = READERS[name].make(fields)
    except ValidationError as error:
        found = [Fault(record.place, ".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise BadRecord(found) from None
    if unknown := sorted(options.names.keys() - fields.asked):
        raise ReadError(
            f"fields: reader {name} asks for nothing called {', '.join(unknown)}; it asks for "
            f"{', '.join(sorted(fields.asked))}"
        )
    return made
