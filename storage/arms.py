"""Which dialogues meet a canary: pure, and the same in every process.

A dialogue (a chat until its next «/reset») stays in its arm while the canary runs: its place in [0, 1) is a hash of
chat, epoch and the canary's adapter id, and it meets the canary while its place lies under the share. So a larger share
only adds dialogues, a smaller one only takes some away, and two canaries have nothing to do with each other. The slot's
name is no part of it: one adapter tried in two slots meets the same dialogues in both.

Knows no SQL and no worker. What the worker makes of an arm: `models.serving`.
"""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

ACTIVE: Final = "active"
CANARY: Final = "canary"


class Trial(Protocol):
    """What is needed of a slot."""

    @property
    def canary(self) -> str | None:
        """The adapter that is tried; None: none is."""

    @property
    def share(self) -> float:
        """Which part of the dialogues meets it, in [0, 1]."""


def place(chat_id: int, epoch: int, canary: str) -> float:
    """A dialogue's place in [0, 1) for one canary, uniform over dialogues and independent between canaries."""
    source = f"arm:{canary}:{chat_id}:{epoch}"
    number = int.from_bytes(hashlib.blake2b(source.encode(), digest_size=8).digest(), "big")
    # 53 bits are all that a float holds: with more, the largest numbers would round up to 1.
    return (number >> 11) / float(1 << 53)


def arm(chat_id: int, epoch: int, slot: Trial | None) -> str:
    """«active» or «canary». Without a slot or a canary: active."""
    if slot is None or slot.canary is None:
        return ACTIVE
    return CANARY if place(chat_id, epoch, slot.canary) < slot.share else ACTIVE
