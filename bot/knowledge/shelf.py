"""The knowledge base as a process has it: the index in memory, made anew when the articles in SQL have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bot.knowledge.search import Index
from storage.database import Database
from storage.desk_tables import ArticleRow


class Shelf:
    """Searches the articles of a database. Whether they changed is asked of SQL at every search: one small query."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._state: Any = None
        self._articles: Sequence[ArticleRow] = ()
        self._index = Index(())
        self._making = asyncio.Lock()

    async def find(self, question: str, most: int) -> tuple[int, list[tuple[ArticleRow, float]]]:
        """How many articles there are, and those that fit, best first, with their scores."""
        await self._refresh()
        articles = self._articles
        found = self._index.find(question, most)
        return len(articles), [(articles[one.place], one.score) for one in found]

    async def _refresh(self) -> None:
        async with self._making, self.database.view() as unit:
            state = await unit.articles.state()
            if state == self._state:
                return
            articles = await unit.articles.all()
            index = await asyncio.to_thread(Index, articles)
            self._articles, self._index, self._state = articles, index, state
