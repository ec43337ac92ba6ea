"""`near_duplicates`: texts that share most of their word or character sequences; the first one stays.

MinHash signatures by datasketch, locality-sensitive bands in SQLite on disk, so that memory does not grow with the
rows (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4). Knows texts, and rows only in the step.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from training.data.rows import Row
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.texts import Which, fold, words

CACHE_KIB = 32 << 10
# Texts of one band that a new one is compared with: a crowd of half-alike texts must not make every look-up slow.
CROWD = 8
# The same where likes are kept too, and only few texts are looked up: a miss is a leak there.
WHOLE_CROWD = 64
# Shingles hashed at once: each takes four bytes a permutation, and a text may be a book.
AT_ONCE = 1 << 14


class NearDuplicates(Part):
    """Drops rows whose texts are like an earlier one's, by the estimated Jaccard index of their shingles."""

    step: Literal["near_duplicates"] = "near_duplicates"
    of: Which = Field(default="all", description="Which texts are looked at.")
    threshold: float = Field(default=0.8, ge=0.3, le=1, description="From which likeness on a row is dropped.")
    shingle: int = Field(default=5, ge=1, le=50, description="Length of the sequences that are compared.")
    unit: Literal["characters", "words"] = Field(default="characters", description="Of what the sequences are.")
    permutations: int = Field(default=128, ge=16, le=512, description="More: finer estimate, slower.")

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        index = NearIndex(
            context.work / "near.sqlite", self.threshold, self.permutations, self.shingle, self.unit == "words"
        )

        def decide(row: Row) -> Row | str:
            return row if index.add(fold("\n".join(words(row, self.of)))) else "near_duplicate"

        try:
            yield from each(rows, counts, decide)
        finally:
            index.close()

    def tools(self) -> tuple[str, ...]:
        return ("datasketch", "numpy")


class NearIndex:
    """Texts found again by likeness: on disk two bytes a permutation and about 30 a band for each text."""

    def __init__(
        self, path: Path, threshold: float, permutations: int = 128, shingle: int = 5, by_words: bool = False
    ) -> None:
        from datasketch import MinHash, MinHashLSH

        # Candidates are checked against their signatures, so that bands may find too much but not too little.
        lsh = MinHashLSH(threshold=threshold, num_perm=permutations, weights=(0.1, 0.9))
        self._bands, self._rows = int(lsh.b), int(lsh.r)
        self._empty: Any = MinHash(num_perm=permutations, seed=1, hashfunc=int)
        self._alike = threshold * permutations
        self._shingle, self._by_words = shingle, by_words
        self._count = 0
        self._db = _database(path)

    def add(self, text: str) -> bool:
        """Whether no earlier text is like this one; only then it is remembered."""
        signature = self._signature(text)
        keys = self._keys(signature)
        crowds = self._crowds(keys)
        if self._first_like(signature, crowds) is not None:
            return False
        self._store(signature, keys, crowds, CROWD)
        return True

    def remember(self, text: str) -> None:
        """Keep a text whether or not an earlier one is like it: who is like it need not be like the earlier one."""
        signature = self._signature(text)
        keys = self._keys(signature)
        self._store(signature, keys, self._crowds(keys), WHOLE_CROWD)

    def _store(self, signature: NDArray[np.uint16], keys: list[int], crowds: dict[int, list[int]], most: int) -> None:
        self._count += 1
        self._db.execute("INSERT INTO texts VALUES (?, ?)", (self._count, signature.tobytes()))
        free = [key for key in keys if len(crowds.get(key, ())) < most]
        self._db.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", [(key, self._count) for key in free])

    def find(self, text: str) -> int | None:
        """The number (from 1) of the first text remembered that is like this one."""
        signature = self._signature(text)
        return self._first_like(signature, self._crowds(self._keys(signature)))

    def close(self) -> None:
        """Close the database; its file lies in a folder that goes with the step."""
        self._db.close()

    def _crowds(self, keys: list[int]) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        marks = ",".join("?" * len(keys))
        for key, text in self._db.execute(f"SELECT band, text FROM bands WHERE band IN ({marks})", keys):  # noqa: S608
            found.setdefault(key, []).append(text)
        return found

    def _first_like(self, signature: NDArray[np.uint16], crowds: dict[int, list[int]]) -> int | None:
        for text in sorted({text for crowd in crowds.values() for text in crowd}):
            row = self._db.execute("SELECT signature FROM texts WHERE text = ?", (text,)).fetchone()
            if np.count_nonzero(np.frombuffer(row[0], np.uint16) == signature) >= self._alike:
                return int(text)
        return None

    def _signature(self, text: str) -> NDArray[np.uint16]:
        sketch = self._empty.copy()
        hashes = shingles(text, self._shingle, self._by_words)
        for start in range(0, len(hashes), AT_ONCE):
            sketch.update_batch(hashes[start : start + AT_ONCE].tolist())
        # Sixteen of 32 bits: two different minima agree once in 65,536.
        found: NDArray[np.uint16] = sketch.hashvalues.astype("<u2")
        return found

    def _keys(self, signature: NDArray[np.uint16]) -> list[int]:
        width = self._rows
        parts = (signature[index * width : (index + 1) * width].tobytes() for index in range(self._bands))
        return [
            int.from_bytes(hashlib.blake2b(part, digest_size=8, salt=str(index).encode()).digest(), signed=True)
            for index, part in enumerate(parts)
        ]


def shingles(text: str, length: int, by_words: bool) -> NDArray[np.uint32]:
    """A 32-bit hash of each run of `length` characters (or words) of a text, of the whole if it is shorter."""
    if by_words:
        codes = np.array([zlib.crc32(word.encode()) for word in text.split()], dtype=np.uint32)
    else:
        codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    if len(codes) < length:
        codes = np.pad(codes, (0, length - len(codes)))
    places = len(codes) - length + 1
    hashes = np.zeros(places, dtype=np.uint32)
    for offset in range(length):
        hashes = hashes * np.uint32(0x01000193) + codes[offset : offset + places]
    return hashes


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    # A crash loses the whole set anyway: nothing has to survive it.
    for setting in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", f"cache_size=-{CACHE_KIB}"):
        db.execute(f"PRAGMA {setting}").fetchall()
    db.execute("CREATE TABLE bands (band INTEGER, text INTEGER, PRIMARY KEY (band, text)) WITHOUT ROWID")
    db.execute("CREATE TABLE texts (text INTEGER PRIMARY KEY, signature BLOB)")
    db.execute("BEGIN")
    return db
