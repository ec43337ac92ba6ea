"""Postal addresses in a text: a street with a house number, or a house with a flat.

A street without a house is no address of anyone's. Knows no gazetteer: the word for a street and the number decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.data.scrub.spans import Kind, Span

# (?i:…) only where case tells nothing: a street's name begins with a capital, unless «д.» stands before its number.
_SHORT = r"(?i:ул|пр-к?т|просп|пр|пер|б-р|бул|наб|пл|ш|мкр|мкрн|р-н|туп|ал)\b\.?"
_LONG = (
    r"(?i:улиц[аеыу]|улицей|проспект[аеу]?|переул(?:ок|к[аеу])|бульвар[аеу]?|набережн(?:ая|ой|ую)|площад[ьи]|шоссе"
    r"|проезд[аеу]?|тупик[аеу]?|алле[яеию]|микрорайон[аеу]?|квартал[аеу]?)\b"
)
_KIND = rf"(?:{_LONG}|{_SHORT})"
_WORD = r"(?:[А-ЯЁ][а-яё]+(?:-[А-Яа-яЁё]+)*\.?|[А-ЯЁ]\.)"
_VILLAGE = r"(?i:дер|деревн[яеию]|село|селе|пос|посёл(?:ок|к[аеу])|хутор[аеу]?|снт|днп)\b\.?"
_ORDINAL = r"(?:\d{1,3}-[а-я]{1,3}\s+)?"
_MONTH = r"(?i:марта|мая|января|июля|августа|октября|ноября|декабря)"
_RANK = r"(?i:реки|имени|им\.|маршала|генерала|академика)"
_NAME = (
    rf"(?:\d{{1,2}}(?:-[а-я]{{1,3}})?\s+(?:{_MONTH}|лет\s+[А-ЯЁ]\w+)"
    rf"|{_ORDINAL}(?:{_RANK}\s+)?{_WORD}(?:\s+{_WORD}){{0,2}})"
)
_ANY_NAME = r"(?:[А-Яа-яЁё][А-Яа-яЁё.-]*\s+){1,3}?"
# A letter apart from its number («дом 5 б») may as well be a preposition; only few letters cannot.
_NUMBER = (
    r"\d{1,4}(?:(?:[А-Яа-яЁё]|\s[А-ЖЛбгд])(?![А-Яа-яЁё\d]|\.\s?\d))?(?:/\d{1,4}[А-Яа-яЁё]?)?(?:[кКсС]\d{1,2})?(?![\d%])"
)
_HOUSE = rf"(?i:дом[аеу]?|д)\b\.?\s?№?\s?{_NUMBER}"
_PART = (
    r",?\s*(?i:к(?:орп(?:ус)?)?|стр(?:оение)?|кв(?:артир[аеуы])?|под(?:ъезд)?|эт(?:аж)?|оф(?:ис)?|лит(?:ера)?"
    r"|вл(?:адение)?|пом(?:ещение)?)\b\.?\s?№?\s?(?:\d{1,4}[А-Яа-яЁё]?|[А-ЯЁ])(?![А-Яа-яЁё\d])"
)
_BARE = rf"(?!\d{{4}}){_NUMBER}(?:\s?-\s?\d{{1,4}}(?!\d))?"
# «На улице Ленина 5 магазинов» counts shops: a bare number must not be followed by what it counts.
_COUNTED = (
    r"(?![-:.,]?\d)(?!\s+(?:[а-яё]+(?:ов|ев|ей|ий|ек|ок|ин|ан|лет|раз|тыс)\b|человек|год[а]?\b|час[а]?\b|раз[а]?\b|лет\b|минут|"
    rf"{_MONTH}|градус|рубл|метр|км\b|м\b|машин|утра|вечера|дом[а]\b|магазин|подъезд|этаж|[2-4]\b))"
)
_CITY = (
    r"(?:(?:(?<!\d)\d{6},\s*)?(?:(?i:г|гор|город|пос|п|с|д|дер|деревня|село|посёлок|пгт|ст-ца|станица)\b\.?\s*)?"
    r"(?!(?i:улиц|проспект))[А-ЯЁ][а-яё]+(?:-[А-Яа-яЁё]+)*(?:\s(?i:область|обл\.|край|район|р-н))?,\s*){0,3}"
)
_STREETS = (
    rf"{_KIND}\s*{_NAME}(?:,\s*|\s+){_HOUSE}",
    rf"{_KIND}\s+{_ANY_NAME},?\s*{_HOUSE}",
    rf"{_KIND}\s*{_NAME},\s*{_BARE}{_COUNTED}",
    rf"{_KIND}\s*{_NAME}\s+{_BARE}{_COUNTED}",
    rf"{_ORDINAL}{_WORD}(?:\s+{_WORD})?\s+{_KIND}(?:,\s*|\s+){_HOUSE}",
    rf"{_ORDINAL}{_WORD}(?:\s+{_WORD})?\s+{_KIND},?\s+{_BARE}{_COUNTED}",
    rf"{_VILLAGE}\s*{_NAME}(?:,\s*|\s+){_HOUSE}",
)
_FLAT = rf"(?<!\w){_HOUSE},?\s*(?i:кв(?:артир[аеуы])?)\b\.?\s?\d{{1,4}}(?!\d)"
_ADDRESS = re.compile(
    "|".join([*(rf"(?<![\w-]){_CITY}{street}(?:{_PART}){{0,4}}" for street in _STREETS), rf"{_FLAT}(?:{_PART}){{0,2}}"])
)


def addresses(text: str) -> Iterator[Span]:
    """Streets with house numbers in the ways they are written in Russian, the city before and the flat after."""
    for match in _ADDRESS.finditer(text):
        yield Span(*match.span(), Kind.ADDRESS)
