"""Insert-if-missing on SQLite and Postgres: two processes that meet the same new row at once must not fail."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import Row


async def insert_if_missing(session: AsyncSession, row: type[Row], **values: Any) -> None:
    """INSERT … ON CONFLICT DO NOTHING; whoever comes second waits for the first and inserts nothing."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    await session.execute(insert(row).values(**values).on_conflict_do_nothing())
