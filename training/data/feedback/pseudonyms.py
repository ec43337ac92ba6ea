"""Other names for people in a set, so that nobody's id stands in it; the key lies beside the set for its owner alone.

With the key, rows of somebody who is to be forgotten are found again. Knows no rows.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

KEY_FILE = "pseudonyms.key"
CHARACTERS = 16


@dataclass(frozen=True)
class Pseudonyms:
    """A keyed hash (BLAKE2b) of ids."""

    key: bytes

    @classmethod
    def of(cls, digest: str) -> Pseudonyms:
        """The key of a log: made of all that is in it, moments and ids too, which the set does not tell."""
        return cls(hashlib.blake2b(digest.encode(), digest_size=32, person=b"otklik feedback").digest())

    @classmethod
    def read(cls, path: Path) -> Pseudonyms:
        """A stored key."""
        return cls(bytes.fromhex(path.read_text(encoding="ascii").strip()))

    def write(self, path: Path) -> None:
        """Store the key for the owner alone; one that is there stays."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(self.key.hex() + "\n")

    def name(self, person: str) -> str:
        """The other name of a person."""
        return hashlib.blake2b(person.encode(), key=self.key, digest_size=CHARACTERS // 2).hexdigest()
