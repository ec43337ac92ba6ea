"""The knowledge base: articles come in by files and go out by files. Knows nothing of searching."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import now
from storage.desk_tables import ArticleRow
from storage.repositories.inserting import insert_if_missing


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article on its way in."""

    title: str
    text: str
    category: str = ""

    @property
    def digest(self) -> str:
        """The same for the same title and text."""
        return hashlib.sha256(f"{self.title}\0{self.text}".encode()).hexdigest()


class Articles:
    """Rows of `articles`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def replace(self, source: str, articles: Sequence[NewArticle]) -> tuple[int, int]:
        """Make these the articles of a source; how many are new and how many are gone.

        What another source holds already stays there.
        """
        coming = {one.digest: one for one in articles}
        known = set(await self.session.scalars(select(ArticleRow.digest).where(ArticleRow.source == source)))
        gone = sorted(known - coming.keys())
        for start in range(0, len(gone), 500):
            part = gone[start : start + 500]
            await self.session.execute(delete(ArticleRow).where(ArticleRow.digest.in_(part)))
        before = await self.count()
        for digest in coming.keys() - known:
            one = coming[digest]
            await insert_if_missing(
                self.session,
                ArticleRow,
                digest=digest,
                title=one.title,
                category=one.category,
                text=one.text,
                source=source,
                created_at=now(),
            )
        return await self.count() - before, len(gone)

    async def remove(self, source: str) -> int:
        """Remove the articles of a source; how many they were."""
        removed: CursorResult[Any] = await self.session.execute(delete(ArticleRow).where(ArticleRow.source == source))  # type: ignore[assignment]
        return int(removed.rowcount)

    async def sources(self) -> dict[str, int]:
        """How many articles came from where."""
        rows = await self.session.execute(
            select(ArticleRow.source, func.count()).group_by(ArticleRow.source).order_by(ArticleRow.source)
        )
        return {str(source): int(count) for source, count in rows}

    async def count(self) -> int:
        """How many there are."""
        return int(await self.session.scalar(select(func.count()).select_from(ArticleRow)) or 0)

    async def state(self) -> tuple[int, int, datetime | None]:
        """Differs whenever the articles do: how many, the highest id, and when the newest came."""
        found = select(func.count(), func.coalesce(func.max(ArticleRow.id), 0), func.max(ArticleRow.created_at))
        count, newest, at = (await self.session.execute(found)).one()
        return int(count), int(newest), at

    async def all(self) -> Sequence[ArticleRow]:
        """Every article, oldest first."""
        return (await self.session.scalars(select(ArticleRow).order_by(ArticleRow.id))).all()
