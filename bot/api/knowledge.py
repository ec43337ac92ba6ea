"""`GET /v1/knowledge`: articles that fit a question, to be attached to it. Filled by `otklik knowledge import`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from bot.api.access import Caller, needs
from bot.api.shapes import Words
from bot.knowledge.cutting import LONGEST
from bot.knowledge.shelf import Shelf

router = APIRouter(prefix="/v1", tags=["knowledge"])
Chatting = Annotated[Caller, Depends(needs("chat"))]


class FoundArticle(BaseModel):
    """An article, or a part of a long one. `text` fits into `articles` of `POST /v1/suggestions`."""

    title: str
    category: str
    text: str
    score: float = Field(description="BM25; higher fits better, comparable within one answer only.")


class Knowledge(BaseModel):
    """Articles that fit, best first, out of `total`."""

    total: int
    articles: list[FoundArticle]


@router.get("/knowledge")
async def search(
    request: Request,
    caller: Chatting,
    q: Annotated[Words, Query(max_length=2000, description="A question or its words; empty: only the total.")] = "",
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Knowledge:
    """Find articles of the knowledge base by the words of a question, in any of their forms."""
    shelf: Shelf = request.app.state.shelf
    total, found = await shelf.find(q, limit)
    articles = [
        FoundArticle(title=one.title, category=one.category, text=one.text[:LONGEST], score=round(score, 3))
        for one, score in found
    ]
    return Knowledge(total=total, articles=articles)
