"""Phones, e-mails, @names and links in a text. Phones are found by the `phonenumbers` library.

Knows no documents, addresses or names of people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.data.scrub.spans import Kind, Span

_NAME = r"[\w](?:[\w.+%-]*[\w+])?"
_EMAIL = re.compile(rf"(?<![\w@]){_NAME}@(?:[\w-]+\.)+[^\W\d_]{{2,24}}(?!\w)")
_EMAIL_SPELT = re.compile(
    r"(?<![\w@])[A-Za-z][\w.+-]*\s?(?:[(\[]\s?(?:at|собака)\s?[)\]]|\sсобака\s)\s?(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}\b",
    re.IGNORECASE,
)
# `@app.task`, `@name(` and an @word before `def` or `class` are code.
_NICK = re.compile(
    r"(?<![\w@./])@(?=\w*[^\W\d])(?>\w{3,32}(?:\.\w+)*)"
    r"(?![\w(]|[\w-]*/|\s*\n\s*(?:@|def |class |async |func |public |private ))"
)
_DOMAINS = "ru|com|net|org|info|su|me|io|pro|biz|online|site|shop|store|club|dev|tv|by|ua|kz|uz|eu|uk|de|example"
_LINK = re.compile(
    r"(?:https?|ftp)://(?=\S*[^\W\d])[^\s<>«»\"`]+"
    r"|(?<![\w@.-])www\.[^\s<>«»\"`]+"
    rf"|(?<![\w@.-])(?!asp\.net\b)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:{_DOMAINS})\b(?!\.\w)(?:[/?#][^\s<>«»\"`]*)?"
    r"|(?<![\w@.-])(?:[а-яё0-9](?:[а-яё0-9-]*[а-яё0-9])?\.)+рф\b(?:/[^\s<>«»\"`]*)?",
    re.IGNORECASE,
)
_LINK_END = re.compile(r"[.,;:!?)\]}'…»]+$")
_LOCAL = re.compile(
    r"\b(?:тел(?:ефон\w*)?|сотов\w+|моб(?:ильн\w+)?|звон\w+|позвон\w+|перезвон\w+|набер\w+|факс)\b[.:]?"
    r"(?:\s(?:на|по|номер\w*|тел\.?|телефон\w*)\b[.:]?){0,3}\s*:?\s*"
    r"(\d{3}[- ]\d{2}[- ]\d{2}|\d{2}-\d{2}-\d{2})(?![\d-])",
    re.IGNORECASE,
)
_FURTHER = re.compile(r"\s*(?:,|;|/|и|или)\s*(\d{2,3}-\d{2}-\d{2})(?![\d-])")
_MANY_DIGITS = re.compile(r"(?:\d\D{0,3}){10}")
_THOUSANDS = re.compile(r"\d{1,3}(?:[ \u00a0]\d{3}){2,}")
_ORDER = re.compile(
    r"(?:заказ\w*|заявк\w+|трек\w*|отправлени\w+|накладн\w+|артикул\w*|штрихкод\w*|договор\w*|инн|снилс|пасп\w+|сумм\w+"
    r"|серийный)[\s№:#-]*(?:номер|N)?[\s№:#-]*$",
    re.IGNORECASE,
)


def emails(text: str) -> Iterator[Span]:
    """Addresses with @, Cyrillic domains too, and ones spelt `name (at) host.ru` or `name собака host.ru`."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Span(*match.span(), Kind.EMAIL)
    for match in _EMAIL_SPELT.finditer(text):
        yield Span(*match.span(), Kind.EMAIL)


def nicks(text: str) -> Iterator[Span]:
    """@names of three letters and more."""
    if "@" in text:
        for match in _NICK.finditer(text):
            yield Span(*match.span(), Kind.NICK)


def links(text: str) -> Iterator[Span]:
    """Addresses of pages, with or without a scheme; a full stop after one is not part of it."""
    if "." not in text and "://" not in text:
        return
    for match in _LINK.finditer(text):
        end = match.end()
        if ending := _LINK_END.search(match[0]):
            end -= len(ending[0])
        yield Span(match.start(), end, Kind.LINK)


def _is_phone(text: str, start: int, raw: str) -> bool:
    """A sum of money and an order's number may be dialled too; what is around tells."""
    if raw.startswith("+"):
        return True
    if _THOUSANDS.fullmatch(raw):
        return False
    return not (raw.isdigit() and _ORDER.search(text[max(0, start - 40) : start]))


def phones(text: str) -> Iterator[Span]:
    """Numbers that can be dialled from Russia or carry a country code; short local ones after «тел.», «звоните»."""
    if _MANY_DIGITS.search(text):
        import phonenumbers  # 0.1 s to import, and most texts have no phone

        for match in phonenumbers.PhoneNumberMatcher(text, "RU"):
            if _is_phone(text, match.start, match.raw_string):
                yield Span(match.start, match.end, Kind.PHONE)
                yield from _further(text, match.end)
    for local in _LOCAL.finditer(text):
        yield Span(*local.span(1), Kind.PHONE)
        yield from _further(text, local.end(1))


def _further(text: str, end: int) -> Iterator[Span]:
    """Local numbers listed right after a phone."""
    while match := _FURTHER.match(text, end):
        yield Span(*match.span(1), Kind.PHONE)
        end = match.end(1)
