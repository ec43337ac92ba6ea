"""Personal data out of Russian texts, and which language a text is in. Pure functions of one text.

Knows no rows, files or recipes; the numbers behind the patterns are measured in tests/training/scrub.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from training.data.scrub import addresses, births, contacts, documents
from training.data.scrub.spans import Kind, Span, apart, replaced

__all__ = ["ALL", "FINDERS", "Kind", "Names", "Span", "find", "scrub"]

Finder = Callable[[str], Iterator[Span]]

# The surest first: where two overlap, the earlier one names the span.
FINDERS: Mapping[Kind, Finder] = {
    Kind.EMAIL: contacts.emails,
    Kind.LINK: contacts.links,
    Kind.CARD: documents.cards,
    Kind.ACCOUNT: documents.accounts,
    Kind.SNILS: documents.insurance,
    Kind.PASSPORT: documents.passports,
    Kind.BIRTH: births.dates,
    Kind.INN: documents.taxpayers,
    Kind.PHONE: contacts.phones,
    Kind.ADDRESS: addresses.addresses,
    Kind.NICK: contacts.nicks,
}
ALL: frozenset[Kind] = frozenset(FINDERS)
_NEED_DIGITS = ALL - {Kind.EMAIL, Kind.LINK, Kind.NICK}


class Names(Protocol):
    """Finds people's names; `names.PersonNames` is the one that ships."""

    def __call__(self, text: str) -> Iterator[Span]: ...


def find(text: str, kinds: Collection[Kind] = ALL, names: Names | None = None) -> list[Span]:
    """Personal data in a text, in its order, spans apart. People's names only if a finder for them is given."""
    digits = any(map(str.isdigit, text))
    spans = [
        span
        for kind, finder in FINDERS.items()
        if kind in kinds and (digits or kind not in _NEED_DIGITS)
        for span in finder(text)
    ]
    if names is not None:
        spans += names(text)
    return apart(spans)


def scrub(text: str, kinds: Collection[Kind] = ALL, names: Names | None = None) -> tuple[str, Counter[str]]:
    """The text with `<ТЕЛЕФОН>`, `<ПОЧТА>` … in place of personal data, and how many of each were replaced.

    Scrubbing twice changes nothing more. `kinds` limits what is looked for; names need `names`.
    """
    counts: Counter[str] = Counter()
    # What lost to an overlapping span may show up once that span is gone, so look until nothing is found.
    while spans := find(text, kinds, names):
        text, more = replaced(text, spans)
        counts += more
    return text, counts
