"""Verdicts that were given, in an SQLite file: asked once, free ever after. Keeps no text of any dialogue or judge."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.evaluation.judging.verdicts import Choice

State = Literal["judged", "unparsable", "too_long"]
TABLE = """CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY, judge TEXT NOT NULL, state TEXT NOT NULL, choices TEXT,
    tries INTEGER NOT NULL, tokens_read INTEGER NOT NULL, tokens_written INTEGER NOT NULL)"""


@dataclass(frozen=True)
class Given:
    """How one question ended. `choices` as the judge saw the order; None where there is no verdict."""

    state: State
    choices: Mapping[str, Choice] | None
    tries: int = 1
    read: int = 0
    written: int = 0


class Cache:
    """Used from several threads; every verdict is stored when it is given, so that a stopped run loses none."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(TABLE)

    def get(self, key: str) -> Given | None:
        """The verdict under a key."""
        query = "SELECT state, choices, tries, tokens_read, tokens_written FROM verdicts WHERE key = ?"
        with self._lock:
            row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        state, choices, tries, read, written = row
        return Given(state, json.loads(choices) if choices else None, tries, read, written)

    def put(self, key: str, judge: str, given: Given) -> None:
        """Remember a verdict."""
        choices = None if given.choices is None else json.dumps(dict(given.choices))
        row = (key, judge, given.state, choices, given.tries, given.read, given.written)
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
