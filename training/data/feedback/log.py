"""`FeedbackLog`: entries laid down in a file without a name, so that a million take no memory and none outlives the
process. Knows the shape of entries, not where they come from.
"""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from training.data.feedback.entry import Entry
from training.data.steps.keys import KeySet

# What is read at once: entries come in runs, one after another.
BUFFER = 1 << 20


class FeedbackLog:
    """Filled once, then read as often as wanted. `numbered`: persons are the numbers of this installation's people.

    `counts` says what was left out on the way in and why, `faults` which lines of a file could not be read. The file
    is removed by the system with its last user, whatever happens: it holds people's words.
    """

    def __init__(self, folder: Path | None = None, *, numbered: bool = False) -> None:
        self.numbered = numbered
        self.counts: Counter[str] = Counter()
        self.ratings = 0
        self.faults: list[str] = []
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, buffering=BUFFER)  # noqa: SIM115
        # Who forgets to close it needs no telling: the file has no name and is gone.
        weakref.finalize(self, self._file.close)
        self._starts = array("Q")
        self._end = 0
        self._seen = KeySet()
        self._sum = 0

    def __len__(self) -> int:
        return len(self._starts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, entry: Entry) -> bool:
        """Lay down one entry; False if the very same one is there already."""
        line = entry.model_dump_json(exclude_defaults=True).encode()
        digest = hashlib.blake2b(line, digest_size=32).digest()
        if not self._seen.add(int.from_bytes(digest[:8], "little")):
            self.counts["duplicate_entry"] += 1
            return False
        # A sum does not hang on the order in which entries come.
        self._sum = (self._sum + int.from_bytes(digest, "little")) % (1 << 256)
        self._starts.append(self._end)
        self._end += self._file.write(line + b"\n")
        self.ratings += sum(len(answer.judgements) for answer in entry.answers)
        return True

    def __iter__(self) -> Iterator[Entry]:
        self._file.flush()
        self._file.seek(0)
        place = 0
        while line := self._file.readline():
            place += len(line)
            yield Entry.model_validate_json(line)
            if self._file.tell() != place:
                self._file.seek(place)

    def digest(self) -> str:
        """A hash of all entries, whatever their order."""
        return hashlib.sha256(f"{len(self)}:{self._sum:064x}".encode()).hexdigest()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()
