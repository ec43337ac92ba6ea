"""Stable 64-bit keys of texts and a compact set of them: what duplicates, fractions and splits go by.

The same text has the same key in every process and on every machine. Knows no rows.
"""

from __future__ import annotations

import hashlib
from array import array

SPACE = 1 << 64


def key(text: str, salt: str = "") -> int:
    """A 64-bit key; two of a million different texts share one with a probability of 3e-8."""
    data = f"{salt}\0{text}".encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def below(text: str, share: float, salt: str = "") -> bool:
    """Whether a text is among `share` (0–1) of all texts. Nested: who is among 10 % is among 20 % of the same salt."""
    return key(text, salt) < share * SPACE


class KeySet:
    """A set of 64-bit keys in one flat array, 12 to 24 bytes a key (a Python set of integers takes about 90)."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 << 10))
        self._count = 0
        self._zero = False  # an empty slot is 0, so that the key 0 is kept apart

    def __len__(self) -> int:
        return self._count + self._zero

    def __contains__(self, wanted: int) -> bool:
        return self._zero if wanted == 0 else self._slots[self._place(wanted)] == wanted

    def add(self, new: int) -> bool:
        """Whether the key was not there before."""
        if new == 0:
            fresh, self._zero = not self._zero, True
            return fresh
        place = self._place(new)
        if self._slots[place] == new:
            return False
        self._slots[place] = new
        self._count += 1
        if self._count * 3 > len(self._slots) * 2:
            self._grow()
        return True

    def _place(self, wanted: int) -> int:
        slots, mask = self._slots, len(self._slots) - 1
        place = wanted & mask
        while slots[place] and slots[place] != wanted:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(16 * len(old)))
        for kept in old:
            if kept:
                self._slots[self._place(kept)] = kept
