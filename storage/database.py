"""The SQL database: engine, unit of work, migrations. Knows SQLite and Postgres, and nothing of what is stored.

A unit of work rolls back unless it is committed. On SQLite writing units take turns in this process (an asyncio lock
in front of `BEGIN IMMEDIATE`), so that only the lock of another process is ever polled for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from storage.inline_sqlite import connect
from storage.repositories.adapters import AdapterBook
from storage.repositories.api_keys import ApiKeys
from storage.repositories.articles import Articles
from storage.repositories.audit import Audit
from storage.repositories.chats import Chats
from storage.repositories.counters import Counters
from storage.repositories.inbox import Inbox
from storage.repositories.jobs import Jobs
from storage.repositories.people import People
from storage.repositories.ratings import Ratings
from storage.repositories.replies import Replies
from storage.repositories.slots import Slots
from storage.repositories.tasks import Tasks
from storage.repositories.turns import TurnBook

MIGRATIONS = Path(__file__).with_name("migrations")
DEFERRED = "deferred_begin"


class BrokenReferences(Exception):
    """A migration would leave rows that refer to nothing; it was rolled back."""


class Unit:
    """One unit of work: all repositories on one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.people = People(session)
        self.chats = Chats(session)
        self.inbox = Inbox(session)
        self.turns = TurnBook(session)
        self.replies = Replies(session)
        self.ratings = Ratings(session)
        self.counters = Counters(session)
        self.adapters = AdapterBook(session)
        self.slots = Slots(session)
        self.jobs = Jobs(session)
        self.audit = Audit(session)
        self.api_keys = ApiKeys(session)
        self.tasks = Tasks(session)
        self.articles = Articles(session)

    async def commit(self) -> None:
        """Make everything of this unit last."""
        await self.session.commit()


class Database:
    """Hands out units of work. `url` is an async SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writing = asyncio.Lock() if self.engine.dialect.name == "sqlite" else None

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """A unit that may write; rolled back unless committed. Units of one task must not be nested."""
        async with AsyncExitStack() as stack:
            if self._writing is not None:
                await stack.enter_async_context(self._writing)
            session = await stack.enter_async_context(self._sessions())
            yield Unit(session)

    @asynccontextmanager
    async def view(self) -> AsyncIterator[Unit]:
        """A unit that only reads: it never waits for writers."""
        async with self._sessions() as session:
            await session.connection(execution_options={DEFERRED: True})
            yield Unit(session)

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def make_engine(url: str, *, foreign_keys: bool = True) -> AsyncEngine:
    """An engine for an async URL; for SQLite in WAL mode, with foreign keys and honest transactions."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_async_engine(parsed, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_async_engine(parsed, async_creator=partial(connect, parsed.database or ":memory:"))
    event.listen(engine.sync_engine, "connect", partial(_prepare_sqlite, foreign_keys))
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(foreign_keys: bool, connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    checked = "ON" if foreign_keys else "OFF"
    for pragma in ("journal_mode=WAL", f"foreign_keys={checked}", "synchronous=NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    deferred = connection.get_execution_options().get(DEFERRED)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


async def upgrade(url: str) -> None:
    """Bring the database to the newest schema; safe to call by several processes and at every start.

    SQLite alters a table by copying and dropping it: with foreign keys on, the drop would cascade into every row that
    refers to it. They are off while migrations run, and checked before the commit.
    """
    engine = make_engine(url, foreign_keys=False)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4841563417)")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if orphans:
            raise BrokenReferences(f"{len(orphans)} rows refer to rows that are gone; nothing was migrated")
