"""Dates of birth in a text: a date is one only where a word beside it says so. Knows no people and no calendar."""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.data.scrub.spans import Kind, Span

_MONTH = r"(?:янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек)[а-я]*\.?"
_DATE = rf"(?:\d{{1,2}}\s?[./-]\s?\d{{1,2}}\s?[./-]\s?(?:\d{{4}}|\d{{2}})|\d{{1,2}}\s+{_MONTH}\s+\d{{4}})(?!\d)"
# «на день рождения 12.03.2024» tells of a party.
_WORD = (
    r"\b(?:родил(?:ся|ась|ись)|рожд[её]н[аы]?\b|дат[аыуе]\s+рождения"
    r"|(?<!на )(?<!к )(?<!в )день\s+рождения|д\.\s?р\.|др:)"
)
_BEFORE = re.compile(rf"{_WORD}[^\d\n!?]{{0,20}}?(?<!\d)({_DATE})", re.IGNORECASE)
_AFTER = re.compile(
    rf"(?<![\d.])({_DATE}|(?:19|20)\d{{2}})\s*(?:г\.?\s?р\.|г\.?\s+рожд\w*|года?\s+рождения)", re.IGNORECASE
)


def dates(text: str) -> Iterator[Span]:
    """Dates after «родился», «дата рождения», «д.р.» and before «г.р.»; a year alone only before «г.р.»."""
    for pattern in (_BEFORE, _AFTER):
        for match in pattern.finditer(text):
            yield Span(*match.span(1), Kind.BIRTH)
