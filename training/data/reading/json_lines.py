"""On which lines the values of a JSON text begin. Knows brackets and strings, nothing of what stands in them.

The parser that makes the values tells no places, so its bytes go past here as well: only strings, brackets and plain
values are looked at, and a bounded part of the text is kept.
"""

from __future__ import annotations

import re
from collections import deque

_STRING = rb'[^"\\]*(?:\\.[^"\\]*)*(?P<end>"|\\?\Z)'
_TOKEN = re.compile(rb'"' + _STRING + rb'|[\[{]|[\]}]|[^\s"\[\]{},:]+', re.DOTALL)
_REST = re.compile(_STRING, re.DOTALL)


class Starts:
    """Lines, from 1, on which the values inside `depth` brackets begin, in the order of the text."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._level = 0
        self._line = 1
        self._lines: deque[int] = deque()
        # What the last piece ended inside of: a string (and its escape), or a plain value.
        self._string = self._escaped = self._plain = False
        self._over = False

    def next(self) -> int:
        """The line of the value that comes next; where the text is by now if none has begun."""
        return self._lines.popleft() if self._lines else self._line

    def feed(self, piece: bytes) -> None:
        """The next bytes of the text, cut anywhere."""
        at = self._end_of_string(piece) if self._string else 0
        counted = 0
        plain_before = self._plain and at == 0
        self._plain = False
        for token in _TOKEN.finditer(piece, at):
            begin, end = token.span()
            first = piece[begin : begin + 1]
            if first in (b"]", b"}"):
                self._level -= 1
                # What comes after the array that the rows are in is none of them.
                self._over = self._over or (self._depth > 0 and self._level < self._depth)
                continue
            goes_on = plain_before and begin == 0 and first not in b'"[{'
            if self._level == self._depth and not self._over and not goes_on:
                self._line += piece.count(b"\n", counted, begin)
                counted = begin
                self._lines.append(self._line)
            if first in (b"[", b"{"):
                self._level += 1
            elif first == b'"':
                self._ended(token["end"])
            else:
                self._plain = end == len(piece)
        self._line += piece.count(b"\n", counted)

    def _end_of_string(self, piece: bytes) -> int:
        """Where the string that the last piece ended in ends in this one."""
        rest = _REST.match(piece, 1 if self._escaped and piece else 0)
        if rest is None:
            return len(piece)
        self._ended(rest["end"])
        return rest.end()

    def _ended(self, mark: bytes) -> None:
        """By a quotation mark, or only by the end of the piece, perhaps inside of an escape."""
        self._string, self._escaped = mark != b'"', mark == b"\\"
