"""Found personal data as spans of a text, and what is left when finders disagree.

Knows nothing of phones or passports: finders bring spans, most certain kinds first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a span is; its value is the word in the placeholder."""

    LINK = "ССЫЛКА"
    EMAIL = "ПОЧТА"
    CARD = "КАРТА"
    ACCOUNT = "СЧЁТ"
    SNILS = "СНИЛС"
    INN = "ИНН"
    PASSPORT = "ПАСПОРТ"
    BIRTH = "РОЖДЕНИЕ"
    PHONE = "ТЕЛЕФОН"
    ADDRESS = "АДРЕС"
    NICK = "НИК"
    NAME = "ИМЯ"

    @property
    def placeholder(self) -> str:
        """What stands in the text instead: `<ТЕЛЕФОН>`."""
        return f"<{self.value}>"


class Span(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int
    kind: Kind


def apart(spans: Iterable[Span]) -> list[Span]:
    """Spans that do not overlap, in the order of the text; of two that do, the one that came first stays."""
    kept: list[Span] = []
    for span in spans:
        if span.start < span.end and all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept)


def replaced(text: str, spans: Iterable[Span]) -> tuple[str, Counter[str]]:
    """The text with a placeholder for each span, and how many of each kind; spans must lie apart, in order."""
    parts: list[str] = []
    counts: Counter[str] = Counter()
    position = 0
    for span in spans:
        parts += [text[position : span.start], span.kind.placeholder]
        counts[span.kind.value] += 1
        position = span.end
    return "".join([*parts, text[position:]]), counts
