"""What admins did, or tried to: written in the same unit as the deed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.loop_tables import AuditRow


class Audit:
    """Rows of `audit`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    def write(self, user_id: int, action: str, target: str = "", *, allowed: bool = True, **details: Any) -> None:
        """Note one deed; it lasts when the unit is committed."""
        row = AuditRow(user_id=user_id, action=action, target=target[:128], details=details, allowed=allowed)
        self.session.add(row)

    async def last(self, limit: int = 50) -> Sequence[AuditRow]:
        """The newest deeds first."""
        return (await self.session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(limit))).all()
