"""Tokens as llama.cpp makes them for SentencePiece vocabularies: the pair whose union scores highest is joined first.

Used to prove, before a file is written, that llama.cpp will read texts as the tokenizer that trained the model does.
Knows nothing of files.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

SPACE = "▁"


@dataclass(frozen=True)
class SentencePiece:
    """`ids`: piece → id; `scores` by id; `specials`: texts that are one token wherever they stand; `prefix`: a space
    goes before the text and before what follows a special token."""

    ids: Mapping[str, int]
    scores: Sequence[float]
    specials: tuple[str, ...]
    prefix: bool

    def encode(self, text: str) -> list[int]:
        """Token ids, without a beginning-of-text token unless its text stands there."""
        found: list[int] = []
        after_special = True
        for part in self._parts(text):
            if part in self.specials:
                found.append(self.ids[part])
                after_special = True
            else:
                start = SPACE if self.prefix and after_special else ""
                found += self._joined(start + part.replace(" ", SPACE))
                after_special = False
        return found

    def _parts(self, text: str) -> list[str]:
        return [part for part in self._splitter.split(text) if part] if self.specials else [text]

    @cached_property
    def _splitter(self) -> re.Pattern[str]:
        longest_first = sorted(self.specials, key=len, reverse=True)
        return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")

    def _joined(self, text: str) -> list[int]:
        return [token for piece in _merged(text, self.ids, self.scores) for token in self._tokens(piece)]

    def _tokens(self, piece: str) -> Iterator[int]:
        if piece in self.ids:
            yield self.ids[piece]
        else:
            yield from (self.ids[f"<0x{byte:02X}>"] for byte in piece.encode())


def _merged(text: str, ids: Mapping[str, int], scores: Sequence[float]) -> list[str]:
    """Pieces left when no neighbouring pair is in the vocabulary; of equal scores the leftmost pair goes first."""
    pieces: list[str | None] = list(text)
    following = [at + 1 for at in range(len(pieces))]
    before = [at - 1 for at in range(len(pieces))]
    queue: list[tuple[float, int, int, str]] = []

    def offer(left: int, right: int) -> None:
        if left < 0 or right >= len(pieces):
            return
        union = f"{pieces[left]}{pieces[right]}"
        if union in ids:
            heapq.heappush(queue, (-scores[ids[union]], left, right, union))

    for at in range(1, len(pieces)):
        offer(at - 1, at)
    while queue:
        _, left, right, union = heapq.heappop(queue)
        if pieces[left] is None or pieces[right] is None or f"{pieces[left]}{pieces[right]}" != union:
            continue
        pieces[left], pieces[right] = union, None
        following[left] = following[right]
        if following[left] < len(pieces):
            before[following[left]] = left
        offer(before[left], left)
        offer(left, following[left])
    return [piece for piece in pieces if piece is not None]
