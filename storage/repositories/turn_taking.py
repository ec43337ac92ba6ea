"""One unit at a time changes slots, takes adapters in, throws them away or taints them.

SQLite's writing units take turns anyway. On Postgres two slots changed at once could get the same revision, and a
person forgotten while an adapter is taken in could be missed.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

LOCK = 4841563418


async def take_turns(session: AsyncSession) -> None:
    """Wait for one's turn; it is held until the unit ends."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
