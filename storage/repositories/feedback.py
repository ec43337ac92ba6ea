"""What people said of answers, in keyset pages for whoever learns from it: turns with judgements, their answers, the
judgements as they stand, and who spoke before in a group.

Reads only. Knows no training: consent and forgetting are columns here, rules elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.tables import ChatRow, RatingHistoryRow, RatingRow, ReplyRow, TurnRow


@dataclass(frozen=True, slots=True)
class JudgedTurn:
    """A turn with at least one judged answer. `kind` is the chat's; None where it is no chat of Telegram."""

    id: int
    chat_id: int
    user_id: int
    epoch: int
    state: str
    shown: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class JudgedReply:
    """An answer that was shown, to one revision of a turn. `request`: the ChatRequest as asked, None if blanked."""

    request_id: str
    turn_id: int
    revision: int
    variant: int
    request: dict[str, Any] | None
    text: str
    emotion: str
    intensity: int
    adapter: str | None
    fit: float | None
    candidates: list[dict[str, Any]]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """One row of `ratings`."""

    request_id: str
    user_id: int
    thumb: int | None
    stars: dict[str, int | None] | None
    reason: str | None
    preferred_over: str | None
    correction: str | None
    source: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Preferred:
    """One preference as it came in."""

    request_id: str
    user_id: int
    preferred_over: str
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Spoken:
    """A turn of a group, judged or not: its speaker is in the dialogue windows of later turns."""

    id: int
    chat_id: int
    user_id: int
    epoch: int
    state: str


class FeedbackPages:
    """Pages go by turn id: a turn's answers and judgements always come together."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def turns(self, after: int, limit: int, since: datetime | None = None) -> list[JudgedTurn]:
        """The next turns with a judged answer (judged since a moment), by id."""
        judged = (
            select(RatingRow.id)
            .join(ReplyRow, ReplyRow.request_id == RatingRow.request_id)
            .where(ReplyRow.turn_id == TurnRow.id)
        )
        if since is not None:
            judged = judged.where(RatingRow.updated_at >= since)
        rows = await self.session.execute(
            select(
                TurnRow.id,
                TurnRow.chat_id,
                TurnRow.user_id,
                TurnRow.epoch,
                TurnRow.state,
                TurnRow.shown,
                ChatRow.kind,
            )
            .outerjoin(ChatRow, ChatRow.chat_id == TurnRow.chat_id)
            .where(TurnRow.id > after, exists(judged.correlate(TurnRow)))
            .order_by(TurnRow.id)
            .limit(limit)
        )
        return [JudgedTurn(*row) for row in rows]

    async def replies(self, turn_ids: Sequence[int]) -> list[JudgedReply]:
        """Answers of these turns that people have seen, in all revisions."""
        rows = await self.session.execute(
            select(
                ReplyRow.request_id,
                ReplyRow.turn_id,
                ReplyRow.revision,
                ReplyRow.variant,
                ReplyRow.request,
                ReplyRow.text,
                ReplyRow.emotion,
                ReplyRow.intensity,
                ReplyRow.adapter,
                ReplyRow.fit,
                ReplyRow.candidates,
                ReplyRow.created_at,
            )
            .where(ReplyRow.turn_id.in_(turn_ids), ReplyRow.state == "done", ReplyRow.delivery == "sent")
            .order_by(ReplyRow.turn_id, ReplyRow.revision, ReplyRow.variant)
        )
        return [JudgedReply(*row) for row in rows]

    async def ratings(self, turn_ids: Sequence[int], since: datetime | None = None) -> list[Judged]:
        """Everybody's judgements of the answers of these turns (since a moment), as they stand."""
        query = (
            select(
                RatingRow.request_id,
                RatingRow.user_id,
                RatingRow.thumb,
                RatingRow.stars,
                RatingRow.reason,
                RatingRow.preferred_over,
                RatingRow.correction,
                RatingRow.source,
                RatingRow.updated_at,
            )
            .join(ReplyRow, ReplyRow.request_id == RatingRow.request_id)
            .where(ReplyRow.turn_id.in_(turn_ids))
        )
        if since is not None:
            query = query.where(RatingRow.updated_at >= since)
        return [Judged(*row) for row in await self.session.execute(query)]

    async def preferences(self, turn_ids: Sequence[int]) -> list[Preferred]:
        """Every preference that was ever noted between answers of these turns, oldest first.

        A judgement as it stands names one answer that it is preferred to; among three variants there may be two.
        """
        rows = await self.session.execute(
            select(
                RatingHistoryRow.request_id,
                RatingHistoryRow.user_id,
                RatingHistoryRow.rating["preferred_over"].as_string(),
                RatingHistoryRow.rating["source"].as_string(),
                RatingHistoryRow.created_at,
            )
            .join(ReplyRow, ReplyRow.request_id == RatingHistoryRow.request_id)
            .where(ReplyRow.turn_id.in_(turn_ids), RatingHistoryRow.rating["preferred_over"].as_string().is_not(None))
            .order_by(RatingHistoryRow.created_at, RatingHistoryRow.rating_id)
        )
        return [Preferred(*row) for row in rows]

    async def spoken(self, after: int, until: int) -> list[Spoken]:
        """All turns of groups with `after` < id ≤ `until`, by id."""
        rows = await self.session.execute(
            select(TurnRow.id, TurnRow.chat_id, TurnRow.user_id, TurnRow.epoch, TurnRow.state)
            .join(ChatRow, ChatRow.chat_id == TurnRow.chat_id)
            .where(TurnRow.id > after, TurnRow.id <= until, ChatRow.kind != "private")
            .order_by(TurnRow.id)
        )
        return [Spoken(*row) for row in rows]
