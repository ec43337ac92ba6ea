"""Requests and replies as SQL sees them, and the marks around sending. Does not know how anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from storage.contracts import ChatReply, ChatRequest
from storage.tables import ReplyRow, TurnRow

IN_FLIGHT = ("waiting", "pending", "sending")


class Replies:
    """Rows of `replies`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, request_id: str) -> ReplyRow | None:
        """The reply row of a request."""
        return await self.session.get(ReplyRow, request_id)

    async def lock(self, request_id: str) -> ReplyRow | None:
        """The reply row, locked until the unit ends."""
        return await self.session.scalar(select(ReplyRow).where(ReplyRow.request_id == request_id).with_for_update())

    async def lock_with_turn(self, request_id: str) -> tuple[ReplyRow, TurnRow] | None:
        """The reply row and its turn, locked until the unit ends."""
        found = await self.session.execute(
            select(ReplyRow, TurnRow)
            .join(TurnRow, TurnRow.id == ReplyRow.turn_id)
            .where(ReplyRow.request_id == request_id)
            .with_for_update()
        )
        row = found.first()
        return (row[0], row[1]) if row else None

    async def ask(self, turn: TurnRow, request: ChatRequest, *, origin: str | None = None) -> ReplyRow:
        """A row for a request that is about to be queued."""
        row = ReplyRow(
            request_id=request.request_id,
            turn_id=turn.id,
            chat_id=turn.chat_id,
            revision=turn.revision,
            variant=request.variant,
            origin=origin,
            request=request.model_dump(mode="json"),
            state="asked",
            text="",
            emotion=request.emotion,
            intensity=request.intensity,
            arm=request.arm,
            candidates=[],
            delivery="waiting",
            message_ids=[],
            doubtful=0,
        )
        self.session.add(row)
        await self.session.flush()
        return row

    def answer(self, row: ReplyRow, reply: ChatReply) -> None:
        """Store what the worker said; from here on the reply lives in SQL."""
        row.state = reply.state.value
        row.reason = reply.reason.value if reply.reason else None
        row.text = reply.text
        row.emotion = reply.emotion
        row.intensity = reply.intensity
        row.fit = reply.fit
        row.fit_ok = reply.fit_ok
        row.candidates = [candidate.model_dump(mode="json") for candidate in reply.candidates]
        row.provenance = reply.provenance.model_dump(mode="json") if reply.provenance else None
        row.adapter = reply.provenance.adapter if reply.provenance else None
        row.answered_at = reply.created_at

    async def by_origin(self, origin: str) -> ReplyRow | None:
        """The reply that this tap asked for, if it was handled before."""
        return await self.session.scalar(select(ReplyRow).where(ReplyRow.origin == origin))

    async def in_flight(self, chat_id: int) -> Sequence[ReplyRow]:
        """Requests of a chat that are not answered and delivered yet."""
        rows = await self.session.scalars(
            select(ReplyRow).where(ReplyRow.chat_id == chat_id, ReplyRow.delivery.in_(IN_FLIGHT))
        )
        return rows.all()

    async def all_in_flight(self) -> Sequence[ReplyRow]:
        """What a process that starts has to take up again, oldest first."""
        rows = await self.session.scalars(
            select(ReplyRow).where(ReplyRow.delivery.in_(IN_FLIGHT)).order_by(ReplyRow.created_at)
        )
        return rows.all()

    async def variants(self, turn_id: int, revision: int) -> Sequence[ReplyRow]:
        """Good variants of one revision of a turn that were shown, in the order of their numbers."""
        rows = await self.session.scalars(
            select(ReplyRow)
            .where(ReplyRow.turn_id == turn_id, ReplyRow.revision == revision)
            .where(ReplyRow.state == "done", ReplyRow.delivery == "sent")
            .order_by(ReplyRow.variant)
        )
        return rows.all()

    async def next_variant(self, turn_id: int, revision: int) -> int:
        """The number for the next variant; numbers of failed ones are not used again."""
        top = await self.session.scalar(
            select(func.max(ReplyRow.variant)).where(ReplyRow.turn_id == turn_id, ReplyRow.revision == revision)
        )
        return 0 if top is None else int(top) + 1

    async def of_user(self, user_id: int) -> Sequence[ReplyRow]:
        """All replies to a person, oldest first."""
        rows = await self.session.scalars(
            select(ReplyRow)
            .join(TurnRow, TurnRow.id == ReplyRow.turn_id)
            .where(TurnRow.user_id == user_id)
            .order_by(ReplyRow.created_at)
        )
        return rows.all()

    async def blank_requests(self, chat_ids: Sequence[int]) -> None:
        """Forget the dialogue windows kept with answered requests of these chats: they quote people."""
        await self.session.execute(
            update(ReplyRow)
            .where(ReplyRow.chat_id.in_(chat_ids), ReplyRow.delivery.not_in(IN_FLIGHT))
            .values(request=None)
        )

    async def by_state(self) -> dict[str, int]:
        """How many requests ended how."""
        rows = await self.session.execute(select(ReplyRow.state, func.count()).group_by(ReplyRow.state))
        return {str(state): int(count) for state, count in rows}

    async def fit_by_emotion(self) -> dict[str, tuple[int, float]]:
        """Per emotion: how many answers were checked, and the share that fits."""
        rows = await self.session.execute(
            select(ReplyRow.emotion, ReplyRow.fit_ok, func.count())
            .where(ReplyRow.fit_ok.is_not(None))
            .group_by(ReplyRow.emotion, ReplyRow.fit_ok)
        )
        counts: dict[str, tuple[int, int]] = {}
        for emotion, fits, count in rows:
            total, good = counts.get(str(emotion), (0, 0))
            counts[str(emotion)] = (total + int(count), good + (int(count) if fits else 0))
        return {emotion: (total, good / total) for emotion, (total, good) in counts.items()}
