"""Cuts long texts into messages that Telegram takes: at most 4096 UTF-16 units, on sentence borders where possible."""

from __future__ import annotations

import re

LIMIT = 4096

# Best border first: paragraph, line, sentence, word.
BORDERS = tuple(re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"(?<=[.!?…])[»\")\]]*\s+", r"\s+"))


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units (an emoji is two)."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(text: str, limit: int = LIMIT) -> list[str]:
    """The text as messages of at most `limit` units (limit ≥ 2). Only white space at the cuts is dropped.

    A blank text gives no messages.
    """
    rest = text.strip()
    parts: list[str] = []
    while rest:
        if units(rest) <= limit:
            parts.append(rest)
            break
        cut = _cut(rest, _fitting(rest, limit))
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [part for part in parts if part]


def _fitting(text: str, limit: int) -> int:
    """How many characters of the text fit into `limit` units."""
    used = 0
    for index, character in enumerate(text):
        used += 2 if character > "\uffff" else 1
        if used > limit:
            return index
    return len(text)


def _cut(text: str, fits: int) -> int:
    """Where to cut: at the last border that leaves a part at least half full, else at a word, else in mid-word."""
    # One character more, so that a space right behind the limit counts as a border.
    head = text[: fits + 1]
    for border in BORDERS:
        places = [match.end() for match in border.finditer(head) if match.start() <= fits]
        if places and places[-1] >= fits // 2:
            return min(places[-1], fits)
    words = [match.end() for match in BORDERS[-1].finditer(head)]
    return min(words[-1], fits) if words else fits
