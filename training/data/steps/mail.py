"""Where an e-mail's own words end: quoted letters, headers of forwarded ones, signatures, adverts of mail programs.

Knows one text at a time, Russian and English mail programs; nothing of rows.
"""

from __future__ import annotations

import re

_MONTH = "янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = (
    r"(?:\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}-\d\d-\d\d|"
    rf"\d{{1,2}}\s(?:{_MONTH})\w*\.?|(?:{_MONTH})\w*\.?\s\d{{1,2}})"
)
# Everything from one of these lines on is not the writer's.
_CUTS = (
    r"-{2,}\s*(?:Original Message|Forwarded message|Исходное сообщение|Пересылаемое сообщение|Пересланное сообщение|"
    r"Конец пересылаемого сообщения|Перенаправленное сообщение)\s*-*",
    r"_{10,}",
    rf"[^\n]{{0,60}}{_DATE}[^\n]{{0,120}}(?:\n[^\n]{{0,80}})?(?:пишет|писал\(?а?\)?|написал\(?а?\)?|wrote|schrieb):",
    rf"[^\n]{{0,40}}{_DATE}[^\n]{{0,100}}<{{1,2}}[^<>\n]*(?:@|ПОЧТА)[^<>\n]*>{{1,2}}\s*:",
    r"(?:От|From|От кого):[^\n]+\n(?:(?:Отправлено|Дата|Sent|Date|Кому|To|Копия|Cc|Тема|Subject):[^\n]*\n?){2,}",
    r"-- ?(?=\n|\Z)",
    r"(?:Отправлено (?:из|с|через) |Sent (?:from|via) |Get Outlook for |Скачать Outlook |Получить Outlook )[^\n]*",
)
_CUT = re.compile(rf"^[ \t>]*(?:{'|'.join(_CUTS)})", re.M | re.I)
# How web mail marks what it quotes.
_CITED = re.compile(
    r"<(?:blockquote|div)\b[^>]*(?:gmail_quote|type=.?cite|moz-cite|mail-quote|yahoo_quoted)[^>]*>.*", re.I | re.S
)
_QUOTED = re.compile(r"^[ \t]*>[^\n]*(?:\n|\Z)", re.M)
_QUOTED_TAIL = re.compile(r"(?:^[ \t]*>[^\n]*(?:\n|\Z)|^[ \t]*\n)+\Z", re.M)


def without_tail(text: str) -> str:
    """The writer's own words; the text itself if nothing would be left of it.

    Quoted lines in the middle of a letter go too, when words of the writer's own stand around them.
    """
    if "\n" not in text:  # a tail has lines of its own, and a letter must keep one
        return text
    found = _CUT.search(text)
    while found and not text[: found.start()].strip() and _looks_written(text[found.end() :]):
        # A letter that is all forwarded teaches what was forwarded: its head goes, its words stay.
        text = text[found.end() :].lstrip(" \t\n")
        found = _CUT.search(text)
    own = text[: found.start()] if found else text
    own = _QUOTED_TAIL.sub("", own)
    bare = _QUOTED.sub("", own)
    return bare.rstrip() if bare.strip() and bare != own else own.rstrip() if own.strip() else text


def without_cited_html(text: str) -> str:
    """HTML before the letter that it quotes; the text itself if it begins with a quotation."""
    own = _CITED.sub("", text)
    return own if re.search(r"\w", re.sub(r"<[^>]*>", "", own)) else text


def _looks_written(text: str) -> bool:
    return bool(re.search(r"\w", text)) and not text.lstrip().startswith(">")
