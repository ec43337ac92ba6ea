"""HTML of articles and letters as plain text, without quoted letters and without personal data.

Knows texts and names of those who wrote, no desk.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from training.data.scrub import Kind, Names, Span, scrub
from training.data.steps.mail import without_tail
from training.data.steps.markup import without_html

# Quoted letters: the element that mail programs use, and the one that Zoho puts before them.
_QUOTE = re.compile(r"<blockquote\b.*?(?:</blockquote\s*>|\Z)|<div[^>]*title=[\"']?beforequote:::.*\Z", re.I | re.S)
_TAGS = re.compile(r"<(?:p|div|br|span|a|b|i|ul|ol|li|table|html|body|img|h[1-6])\b[^>]*>", re.I)
_SPACES = re.compile(r"[ \t\u00a0\u200b]+")
_BLANK_LINES = re.compile(r"\n\s*\n\s*(?:\n\s*)*")

Scrubber = Callable[[str, Iterable[str]], str]


def plain(text: str) -> str:
    """Text of HTML, or of plain text as it is, with one kind of space and at most one blank line."""
    if _TAGS.search(text):
        text = html.unescape(without_html(text))
    lines = (_SPACES.sub(" ", line).strip() for line in text.replace("\r\n", "\n").split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def letter(text: str) -> str:
    """The plain text of a letter's own words: quoted letters and signatures of mail programs are gone."""
    return without_tail(plain(_QUOTE.sub("", text))).strip()


@functools.cache
def _analyzer() -> Any:
    import pymorphy3

    return pymorphy3.MorphAnalyzer(lang="ru")


@functools.lru_cache(maxsize=10_000)
def forms(word: str) -> frozenset[str]:
    """A name in all its case forms, capitalised: «Пётр» → Пётр, Петра, Петром …; itself if Russian does not inflect it.

    Empty for words that are no names: a desk's contact may well be called «Клиент».
    """
    parses = _analyzer().parse(word.lower())
    names = [parse for parse in parses if {"Name", "Surn", "Patr"} & set(parse.tag.grammemes)]
    if not names and parses[0].is_known:
        return frozenset()
    found = {word, *(form.word.capitalize() for parse in names for form in parse.lexeme)}
    return frozenset(found | {one.replace("ё", "е") for one in found})


class KnownNames:
    """Finds the given people's names in any case form (Анна, Анну, Петрова, Петровой), after a capital letter."""

    def __init__(self, names: Iterable[str], other: Names | None = None) -> None:
        words = {word for name in names for word in re.findall(r"[^\W\d_]{3,}", name)}
        known = sorted({re.escape(form) for word in words for form in forms(word)}, key=len, reverse=True)
        name = rf"(?<![^\W\d_])(?:{'|'.join(known)})(?![^\W\d_])"
        self._pattern = re.compile(rf"{name}(?:\s+{name})*") if known else None
        self._other = other

    def __call__(self, text: str) -> Iterator[Span]:
        """Spans of the names, then what the other finder finds."""
        for match in self._pattern.finditer(text) if self._pattern else ():
            yield Span(*match.span(), Kind.NAME)
        if self._other is not None:
            yield from self._other(text)


def scrubber(names: Names | None = None) -> Scrubber:
    """A function of a text and the names of those who wrote it: personal data become placeholders."""
    return lambda text, people: scrub(text, names=KnownNames(people, names))[0]


def unscrubbed(text: str, people: Iterable[str]) -> str:
    """The text as it is, for desks whose owner asks for that."""
    return text
