"""Long articles in parts that fit into a question. Pure."""

from __future__ import annotations

import re

# As long as an attached article may be, in characters.
LONGEST = 4000
BORDERS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…])\s+"), re.compile(r"\s+"))


def parts(text: str, most: int = LONGEST) -> list[str]:
    """The text in pieces of at most so many characters: cut between paragraphs, else lines, sentences, words."""
    found: list[str] = []
    rest = text.strip()
    while len(rest) > most:
        end = _border(rest, most)
        found.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*found, rest] if rest else found


def _border(text: str, most: int) -> int:
    """Where to cut: the last border of the best kind in the second half of what fits."""
    for border in BORDERS:
        ends = [match.start() for match in border.finditer(text, most // 2, most)]
        if ends:
            return ends[-1]
    return most
