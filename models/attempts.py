"""How often a process ended while it loaded or tested an adapter: one that takes workers with it is left alone.

A mark in the cache folder says that an attempt runs; whoever ends it removes it. What a killed process leaves counts.
A worker that is killed for other reasons meanwhile does no harm: it takes three. Knows nothing of engines.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST = 3
# After so long somebody may have mended what was wrong.
FORGET_SECONDS = 3600.0


class TooManyAttempts(ValueError):
    """Workers of this machine died with this adapter."""


class Attempts:
    """The marks of one machine, shared by its workers. None as folder: nothing is remembered."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @contextmanager
    def one(self, adapter_id: str) -> Iterator[None]:
        """Mark an attempt while the block runs; TooManyAttempts if too many ended with their process."""
        if self.folder is None:
            yield
            return
        mark = self.folder / f".attempt-{adapter_id}"
        before = self._left(mark)
        if before >= MOST:
            raise TooManyAttempts(
                f"{before} workers of this machine died while they loaded it; take another one, or remove {mark}"
            )
        with contextlib.suppress(OSError):  # a full disk must not keep anything from being served
            self.folder.mkdir(parents=True, exist_ok=True)
            mark.write_text(str(before + 1))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)

    @staticmethod
    def _left(mark: Path) -> int:
        try:
            if time.time() - mark.stat().st_mtime > FORGET_SECONDS:
                return 0
            return int(mark.read_text())
        except (OSError, ValueError):
            return 0
