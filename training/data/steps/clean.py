"""`clean`: one spelling of every character. Unicode NFC, broken entities, mojibake, invisible characters, odd spaces.

Changes characters, not words: markup is `strip_markup`'s, personal data `scrub`'s.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

from training.data.rows import Row
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.texts import emptied, rewritten

# Zero-width and direction marks, soft hyphens, controls but for tab and newline. The joiner U+200D stays inside emoji.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]"
)
_LONE_JOINER = re.compile(
    "(?<![\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?![\u2190-\u2bff\U0001f000-\U0001faff])"
)
_SPACE = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_END = re.compile("\r\n?|[\u000b\u000c\u0085\u2028\u2029]")
_AROUND_LINE = re.compile(r" *\n *")
_INNER_SPACE = re.compile(rf"(?<=\S){_SPACE.pattern}(?=\S)")
_LINE_TAIL = re.compile(rf"{_SPACE.pattern}$", re.M)
_BLANK_LINES = re.compile(r"\n{3,}")
# What is left of an entity after somebody else's clean-up: a space or an escaped ampersand inside, no semicolon.
_BROKEN_ENTITY = re.compile(
    r"&\s?(?:amp\s?;\s?)*(nbsp|quot|apos|lt|gt|laquo|raquo|mdash|ndash|hellip|amp|#\d{2,6}|#x[\da-f]{2,5})\s?;", re.I
)
_BARE_ENTITY = re.compile(r"&(nbsp|quot|laquo|raquo|mdash|ndash|hellip)(?![\w;=])")
_ENTITY = re.compile(r"&(?:[a-z]{2,31}\d{0,2}|#\d{1,7}|#x[\da-f]{1,6});", re.I)
# What most lines are: nothing to do. No «&», no space but single ones inside.
_ORDINARY = re.compile("[!-%'-~А-Яа-яЁё«»—…]++(?: [!-%'-~А-Яа-яЁё«»—…]++)*+")
# Cyrillic UTF-8 read as Windows-1251: every letter became Р or С with another character.
_MOJIBAKE = re.compile("(?:[РС][\u0080-\u00ff\u0400-\u045f\u0490\u0491\u2010-\u2122]){4}")


class Clean(Part):
    """One spelling of every character; rows with a text that is empty afterwards are dropped."""

    step: Literal["clean"] = "clean"

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        def decide(row: Row) -> Row | str:
            new = rewritten(row, cleaned)
            return "empty" if emptied(new) else new

        return each(rows, counts, decide)


def cleaned(text: str) -> str:
    """The text with ordinary characters only; lines stay lines, at most one blank line in a row."""
    if _ORDINARY.fullmatch(text):
        return text
    if not text.isascii() or "&" in text:
        text = _repaired(_entities(text))
        text = unicodedata.normalize("NFC", text)
    text = _LINE_END.sub("\n", text)
    text = _LONE_JOINER.sub("", _INVISIBLE.sub("", text))
    if "```" in text:  # code keeps its indentation
        text = _LINE_TAIL.sub("", _INNER_SPACE.sub(" ", text))
    else:
        text = _AROUND_LINE.sub("\n", _SPACE.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def _entities(text: str) -> str:
    if "&" not in text:
        return text
    text = _BARE_ENTITY.sub(r"&\1;", _BROKEN_ENTITY.sub(r"&\1;", text))
    for _ in range(3):  # «&amp;amp;quot;» is what two careless exports leave
        # Only with a semicolon: «?a=1&copy=2» is an address.
        plain = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
        if plain == text:
            break
        text = plain
    return text


def _repaired(text: str) -> str:
    if not _MOJIBAKE.search(text):
        return text
    try:
        return text.encode("cp1251").decode("utf-8")
    except UnicodeError:
        return text
