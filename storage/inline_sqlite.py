"""SQLite connections that work in the event loop's own thread, in the shape that SQLAlchemy's async dialect expects.

A statement of ours takes some 50 µs; handing it to a thread and back (four times a statement, as aiosqlite does) takes
longer, and many times longer on a busy machine. Only the lock of another process can take long: that is waited for
with the loop free. Knows nothing of tables.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

PATIENCE = 15.0
PAUSE = 0.005


async def connect(path: str) -> InlineConnection:
    """Open a database file; transactions begin only where the caller says so."""
    return InlineConnection(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False))


class InlineCursor:
    """A cursor whose methods are awaited but never leave the thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()

    async def __aenter__(self) -> InlineCursor:
        return self

    async def execute(self, operation: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement, waiting while another process holds the lock."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                self._cursor.execute(operation, parameters)
            except sqlite3.OperationalError as error:
                if not _busy(error) or asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(PAUSE)
            else:
                return

    async def executemany(self, operation: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run a statement many times."""
        self._cursor.executemany(operation, parameters)

    async def fetchone(self) -> Any:
        """The next row."""
        return self._cursor.fetchone()

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next rows."""
        return self._cursor.fetchmany(size or self._cursor.arraysize)

    async def fetchall(self) -> list[Any]:
        """All rows that are left."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Free the cursor."""
        self._cursor.close()

    @property
    def description(self) -> Any:
        """Columns of the result, None where there is none."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """Rows changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Id of the row inserted last."""
        return self._cursor.lastrowid

    @property
    def arraysize(self) -> int:
        """Rows a `fetchmany` gives."""
        return self._cursor.arraysize

    @arraysize.setter
    def arraysize(self, value: int) -> None:
        self._cursor.arraysize = value


class InlineConnection:
    """What the dialect uses of an aiosqlite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._conn = connection
        self._connection: sqlite3.Connection | None = connection

    def cursor(self) -> InlineCursor:
        """A new cursor."""
        return InlineCursor(self._conn)

    async def commit(self) -> None:
        """End the transaction."""
        self._conn.commit()

    async def rollback(self) -> None:
        """Undo the transaction."""
        self._conn.rollback()

    async def create_function(self, *arguments: Any, **named: Any) -> None:
        """Add an SQL function (the dialect adds `regexp`)."""
        self._conn.create_function(*arguments, **named)

    async def close(self) -> None:
        """Close it."""
        self.stop()

    def stop(self) -> None:
        """Close it at once."""
        self._connection = None
        self._conn.close()

    @property
    def isolation_level(self) -> str | None:
        """None: transactions begin only where the caller says so."""
        return self._conn.isolation_level


def _busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
