"""Numbers of cards, accounts, passports, СНИЛС and ИНН in a text.

A number alone proves nothing: either its check digits or a word before it must speak for it. Knows no names, phones
or addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from training.data.scrub.checksums import iban, inn, luhn, snils
from training.data.scrub.spans import Kind, Span

_NOT_DIGITS = re.compile(r"\D")
_CARD = re.compile(
    r"(?<![\d.,-])(?:"
    r"[2-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}(?:\1\d{2,3})?"  # 16, 18 or 19 digits
    r"|3[47]\d{2}([ -]?)\d{6}\2\d{5}"  # 15 digits
    r")(?![\d]|[.,-]\d)"
)
# After its name a mistyped number is a card's too: 16 digits in a card's groups, and what it is of stands between.
_CARD_NAMED = re.compile(
    r"\bкарт(?:а|ы|е|у|ой|оч(?:ка|ки|ке|ку|кой))\b(?:(?!заказ|трек|наклад|чек|отправлен)[^\d\n.;!?]){0,25}"
    r"(?<![\d.,-])(\d{4}([ -]?)\d{4}\2\d{4}\2\d{4})(?!\d|[.,-]\d)",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<![A-Za-z\d])[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?![A-Za-z\d])")
_ACCOUNT = re.compile(r"(?<!\d)(?:408|423|407|302)\d{2}[ .]?\d{3}[ .]?\d[ .]?\d{4}[ .]?\d{7}(?!\d)")
_SNILS = re.compile(r"(?<![\d-])\d{3}[- ]\d{3}[- ]\d{3}[- ]\d{2}(?![\d-])")
_SNILS_NAMED = re.compile(r"снилс\D{0,20}?(\d{3}[- ]?\d{3}[- ]?\d{3}[- ]?\d{2})(?!\d)", re.IGNORECASE)
_INN = re.compile(r"(?<!\d)\d{12}(?!\d)")
_INN_NAMED = re.compile(r"\bинн\b\D{0,20}?(\d{12}|\d{10})(?!\d)", re.IGNORECASE)
_SERIES = r"\d{2}\s?\d{2}[\s,]*(?:№|N|номер|ном\.)?\s*\d{6}"
_PASSPORT = re.compile(
    rf"\bпасп(?:орт(?!\w*\s+(?:безопасности|отходов))|\.)[^\d\n]{{0,40}}?((?:\bсери[яией]+\s*:?\s*)?{_SERIES})(?!\d)"
    rf"|(?<!\w)(сери[яией]+\s*:?\s*\d{{2}}\s?\d{{2}}[\s,]*(?:№|N|номер|ном\.)\s*\d{{6}})(?!\d)"
    r"|загран\w*[^\d\n]{0,30}?(\d{2}\s?(?:№|N)?\s?\d{7})(?!\d)",
    re.IGNORECASE,
)


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)


def cards(text: str) -> Iterator[Span]:
    """15 to 19 digits in the groups of a card whose Luhn check holds, or any 16 after «карта»."""
    for match in _CARD.finditer(text):
        if luhn(_digits(match[0])):
            yield Span(*match.span(), Kind.CARD)
    for match in _CARD_NAMED.finditer(text):
        yield Span(*match.span(1), Kind.CARD)


def accounts(text: str) -> Iterator[Span]:
    """20-digit accounts of people and firms in Russian banks, and IBANs whose check holds."""
    for match in _ACCOUNT.finditer(text):
        yield Span(*match.span(), Kind.ACCOUNT)
    for match in _IBAN.finditer(text):
        if iban(match[0].replace(" ", "")):
            yield Span(*match.span(), Kind.ACCOUNT)


def insurance(text: str) -> Iterator[Span]:
    """СНИЛС written 123-456-789 01, or any way after its name; the check digits must hold."""
    for match in _SNILS.finditer(text):
        if snils(_digits(match[0])):
            yield Span(*match.span(), Kind.SNILS)
    for match in _SNILS_NAMED.finditer(text):
        if snils(_digits(match[1])):
            yield Span(*match.span(1), Kind.SNILS)


def taxpayers(text: str) -> Iterator[Span]:
    """ИНН of 12 digits, and of 10 after its name (every tenth number of 10 digits passes the check)."""
    for match in _INN.finditer(text):
        if inn(match[0]):
            yield Span(*match.span(), Kind.INN)
    for match in _INN_NAMED.finditer(text):
        if inn(match[1]):
            yield Span(*match.span(1), Kind.INN)


def passports(text: str) -> Iterator[Span]:
    """Series and number of a passport of Russia after a word that says so; they carry no check digit."""
    for match in _PASSPORT.finditer(text):
        group = match.lastindex or 0
        yield Span(*match.span(group), Kind.PASSPORT)
