"""Judgements: the history as it came in, and each person's current judgement of each answer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import Rating
from storage.ratings import merge
from storage.tables import ForgottenRow, RatingHistoryRow, RatingRow, ReplyRow, TurnRow


class Ratings:
    """Rows of `rating_history` and `ratings`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def store(self, rating: Rating) -> bool:
        """Count a judgement once per `rating_id`; False if it was counted, or its person wants to be forgotten.

        The current judgement is the history merged in the order of `created_at`, whatever the order of arrival.
        """
        if await self.session.get(RatingHistoryRow, rating.rating_id) is not None:
            return False
        tombstone = await self.session.get(ForgottenRow, rating.user_id)
        if tombstone is not None and rating.created_at <= tombstone.at:
            return False
        self.session.add(
            RatingHistoryRow(
                rating_id=rating.rating_id,
                chat_id=rating.chat_id,
                message_id=rating.message_id,
                user_id=rating.user_id,
                request_id=rating.request_id,
                rating=rating.model_dump(mode="json"),
                created_at=rating.created_at,
            )
        )
        await self.session.flush()
        await self._settle(rating.chat_id, rating.message_id, rating.user_id)
        return True

    async def _settle(self, chat_id: int, message_id: int, user_id: int) -> None:
        history = await self.history(chat_id, message_id, user_id)
        known = {
            row.request_id: row
            for row in await self.session.scalars(
                select(RatingRow).where(
                    RatingRow.chat_id == chat_id, RatingRow.message_id == message_id, RatingRow.user_id == user_id
                )
            )
        }
        for request_id, rating in current(history).items():
            row = known.get(request_id)
            if row is None:
                row = RatingRow(
                    chat_id=chat_id, message_id=message_id, user_id=user_id, request_id=request_id, source="button"
                )
                self.session.add(row)
            row.thumb = rating.thumb or None
            row.stars = rating.stars.model_dump() if rating.stars else None
            row.reason = rating.reason or None
            row.preferred_over = rating.preferred_over or None
            row.correction = rating.correction
            row.source = rating.source.value
            row.updated_at = rating.created_at

    async def history(self, chat_id: int, message_id: int, user_id: int) -> list[Rating]:
        """Everything that a person said of an answer, oldest first."""
        rows = await self.session.scalars(
            select(RatingHistoryRow).where(
                RatingHistoryRow.chat_id == chat_id,
                RatingHistoryRow.message_id == message_id,
                RatingHistoryRow.user_id == user_id,
            )
        )
        ratings = [Rating.model_validate(row.rating) for row in rows]
        return sorted(ratings, key=lambda rating: (rating.created_at, rating.rating_id))

    async def of_user(self, user_id: int) -> Sequence[RatingRow]:
        """All current judgements of a person."""
        rows = await self.session.scalars(select(RatingRow).where(RatingRow.user_id == user_id).order_by(RatingRow.id))
        return rows.all()

    async def history_of_user(self, user_id: int) -> Sequence[RatingHistoryRow]:
        """Everything that a person ever said of answers, oldest first."""
        rows = await self.session.scalars(
            select(RatingHistoryRow)
            .where(RatingHistoryRow.user_id == user_id)
            .order_by(RatingHistoryRow.created_at, RatingHistoryRow.rating_id)
        )
        return rows.all()

    async def all(self) -> Sequence[RatingRow]:
        """All current judgements, oldest first."""
        rows = await self.session.scalars(select(RatingRow).order_by(RatingRow.id))
        return rows.all()

    async def places(self, user_id: int) -> list[tuple[int, int, int]]:
        """`(chat, message, user)` of every judgement that `forget` will remove: by the person, or of their dialogue."""
        answers = select(ReplyRow.request_id).join(TurnRow).where(TurnRow.user_id == user_id)
        rows = await self.session.execute(
            select(RatingHistoryRow.chat_id, RatingHistoryRow.message_id, RatingHistoryRow.user_id)
            .where((RatingHistoryRow.user_id == user_id) | RatingHistoryRow.request_id.in_(answers))
            .distinct()
        )
        return [(int(chat), int(message), int(user)) for chat, message, user in rows]

    async def forget(self, user_id: int) -> None:
        """Remove what a person said of answers, and what anybody said of answers to the person."""
        answers = select(ReplyRow.request_id).join(TurnRow).where(TurnRow.user_id == user_id)
        for table in (RatingRow, RatingHistoryRow):
            await self.session.execute(
                delete(table)
                .where((table.user_id == user_id) | table.request_id.in_(answers))
                .execution_options(synchronize_session=False)
            )


def current(history: Sequence[Rating]) -> dict[str, Rating]:
    """One person's judgements of one message, oldest first, summed up by answer.

    Different variants are different answers; a later preference takes back the opposite one.
    """
    merged: dict[str, Rating] = {}
    for rating in history:
        merged[rating.request_id] = merge(merged.get(rating.request_id), rating)
        loser = rating.preferred_over
        if loser in merged and merged[loser].preferred_over == rating.request_id:
            merged[loser] = merged[loser].model_copy(update={"preferred_over": None})
    return merged
