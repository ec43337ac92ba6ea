"""Documents' lines → records: sections under `### Key` headings, or paragraphs between blank lines.

Knows the headings' form, nothing of what articles and tickets are for. A line that begins with `\\###` is the text
`###…`; any other `###` heading inside a section is text too, unless it looks like a misspelt key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

from training.data.reading.records import LONGEST, BadRecord, Fault, Record, Unreadable

Outcome = Record | BadRecord
_HEADING = re.compile(r"^\s*###(?!#)\s*(?P<key>[^:\t]*?)\s*(?:[:\t](?P<inline>.*))?$", re.DOTALL)
_ESCAPED = re.compile(r"^\\+###")
# So like a key that it must be one misspelt.
MISSPELT = 0.75


def sections(lines: Iterable[Outcome], keys: Mapping[str, str]) -> Iterator[Outcome]:
    """Records of the fields that `keys` (heading, lower case → field) names; the first field opens a record."""
    record: _Open | None = None
    opening_key, opening = next(iter(keys.items()))
    stray = False
    for line in lines:
        if isinstance(line, BadRecord):
            yield line
            continue
        text = str(line.fields["text"])
        found = heading(text, keys)
        if found is None:
            if record:
                record.add(text, line.place, keys)
            elif text.strip() and not stray:
                stray = True
                reason = f"expected '### {opening_key.capitalize()}' before any text"
                yield BadRecord([Fault(line.place, "", reason)])
            continue
        field, inline = found
        if record and field == opening:
            yield record.closed()
            record = None
        record = record or _Open(line.place)
        record.start(field, inline, line.place)
    if record:
        yield record.closed()


def paragraphs(lines: Iterable[Outcome]) -> Iterator[Outcome]:
    """Neighbouring lines as one record, placed where they begin."""
    place, gathered = "", list[str]()
    for line in lines:
        if isinstance(line, BadRecord):
            yield line
        elif text := str(line.fields["text"]).strip():
            place = place if gathered else line.place
            gathered.append(text)
        elif gathered:
            yield Record(place, {"text": "\n".join(gathered)})
            gathered = []
    if gathered:
        yield Record(place, {"text": "\n".join(gathered)})


def heading(line: str, keys: Mapping[str, str]) -> tuple[str, str] | None:
    """`(field, text on the heading's own line)` if the line is one of the headings."""
    match = _HEADING.match(line)
    field = keys.get(match["key"].casefold()) if match else None
    return (field, match["inline"] or "") if match and field else None


class _Open:
    """A record that is being gathered."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._lines: dict[str, list[str]] = {}
        self._current = ""
        self._size = 0
        self._faults: list[Fault] = []

    def start(self, field: str, inline: str, place: str) -> None:
        if field in self._lines:
            self._faults.append(Fault(place, field, "stands twice in one record"))
        self._current = field
        self._lines[field] = [inline]

    def add(self, line: str, place: str, keys: Mapping[str, str]) -> None:
        self._size += len(line)
        if self._size > LONGEST:
            raise Unreadable(self._place, f"a record of more than {LONGEST // 10**6} million characters")
        if (match := _HEADING.match(line)) and (near := _near(match["key"], keys)):
            self._faults.append(Fault(place, "", f"'### {match['key']}': is '### {near.capitalize()}' meant?"))
        self._lines[self._current].append(line[1:] if _ESCAPED.match(line) else line)

    def closed(self) -> Outcome:
        if self._faults:
            return BadRecord(self._faults)
        return Record(self._place, {field: "\n".join(lines).strip() for field, lines in self._lines.items()})


def _near(key: str, keys: Mapping[str, str]) -> str | None:
    return next(iter(difflib.get_close_matches(key.casefold(), keys, 1, MISSPELT)), None)
