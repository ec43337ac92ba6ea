"""What happened in both arms of a slot: counts for people to read, and single outcomes for the tests. Reads only.

A slot's answers are those of its preset (the slot `shared`: of all presets that have no slot of their own). An arm is
what the dialogue was given to (`replies.arm`), an adapter what really answered: a worker that cannot load the canary
answers with the active adapter. Outcomes carry both. Only dialogues of the bot count: API callers choose their model
themselves, so that nobody was drawn there. Knows no statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from storage.arms import ACTIVE, CANARY
from storage.loop_tables import SlotRow
from storage.repositories.figures import weighted
from storage.repositories.slots import CHANGED, SHARED
from storage.tables import ChatRow, RatingRow, ReplyRow, TurnRow

# The first so many of a period are read; a test that is not decided by then will hardly be by more.
MOST = 50_000
# Ended before any worker met them: says nothing of an adapter.
UNMET = "queue_full"


@dataclass(frozen=True, slots=True)
class Period:
    """Answers that were asked for from `since` on and before `until`, in these arms; `adapter`: only by this one."""

    since: datetime
    until: datetime | None = None
    arms: tuple[str, ...] = (ACTIVE, CANARY)
    adapter: str | None = None


class Answer(NamedTuple):
    """The first variant of one turn. `again`: another variant was asked for. `seconds`: generating and classifying, as
    the worker says; else from the request to the answer, None if there was none."""

    request_id: str
    chat_id: int
    user_id: int
    epoch: int
    arm: str
    adapter: str | None
    state: str
    reason: str | None
    fit_ok: bool | None
    seconds: float | None
    again: bool
    at: datetime


class Vote(NamedTuple):
    """What one person thinks of one answer now: 1 for 👍, 0 for 👎, in between for stars."""

    chat_id: int
    user_id: int
    request_id: str
    arm: str
    adapter: str | None
    worth: float
    thumb: int | None
    stars: float | None
    at: datetime


class Arms:
    """Reads `replies` and `ratings` by arm."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def answers(self, slot: str, period: Period, limit: int = MOST) -> list[Answer]:
        """First variants in the order of asking, those that no worker has met or will answer left out."""
        later = aliased(ReplyRow)
        again = select(later.request_id).where(
            later.turn_id == ReplyRow.turn_id, later.revision == ReplyRow.revision, later.variant > 0
        )
        timings = [ReplyRow.provenance[("timings", name)].as_float() for name in ("generate", "classify")]
        query: Any = (
            select(
                ReplyRow.request_id,
                ReplyRow.chat_id,
                TurnRow.user_id,
                TurnRow.epoch,
                ReplyRow.arm,
                ReplyRow.adapter,
                ReplyRow.state,
                ReplyRow.reason,
                ReplyRow.fit_ok,
                again.exists(),
                ReplyRow.created_at,
                ReplyRow.answered_at,
                *timings,
            )
            .join(TurnRow, TurnRow.id == ReplyRow.turn_id)
            .where(ReplyRow.variant == 0, ReplyRow.state.in_(("done", "failed", "expired")))
        )
        rows = await self.session.execute(await self._within(query, slot, period, limit))
        return [_answer(row) for row in rows if row[7] != UNMET]

    async def votes(self, slot: str, period: Period, limit: int = MOST) -> list[Vote]:
        """One judgement a person and answer, as it stands, in the order of judging."""
        query: Any = select(
            ReplyRow.chat_id,
            RatingRow.user_id,
            ReplyRow.request_id,
            ReplyRow.arm,
            ReplyRow.adapter,
            RatingRow.thumb,
            RatingRow.stars,
            RatingRow.updated_at,
        ).join(RatingRow, RatingRow.request_id == ReplyRow.request_id)
        rows = await self.session.execute(await self._within(query, slot, period, limit))
        found: dict[tuple[int, str], Vote] = {}
        for chat, user, request, arm, adapter, thumb, marks, at in rows:
            stars = weighted(marks) if marks else None
            worth = _worth(thumb, stars)
            known = found.get((user, request))
            if worth is not None and (known is None or known.at <= at):
                found[user, request] = Vote(chat, user, request, arm, adapter, worth, thumb, stars, at)
        return sorted(found.values(), key=lambda one: (one.at, one.request_id, one.user_id))

    async def _within(self, query: Any, slot: str, period: Period, limit: int) -> Any:
        """The slot's answers of a period, by the index of `replies.created_at`."""
        query = query.join(ChatRow, ChatRow.chat_id == ReplyRow.chat_id).where(
            await self._of(slot), ReplyRow.created_at >= period.since, ReplyRow.arm.in_(period.arms)
        )
        if period.until is not None:
            query = query.where(ReplyRow.created_at < period.until)
        if period.adapter is not None:
            query = query.where(ReplyRow.adapter == period.adapter)
        return query.order_by(ReplyRow.created_at, ReplyRow.request_id).limit(limit)

    async def _of(self, slot: str) -> ColumnElement[bool]:
        """Whether an answer went by the slot. «Авто» is drawn by the shared slot: where it led to a preset with a slot
        of its own, the answer belongs to neither."""
        if slot == SHARED:
            own = await self.session.scalars(select(SlotRow.name).where(SlotRow.name != SHARED, CHANGED))
            return ReplyRow.emotion.not_in(list(own))
        asked = func.coalesce(ReplyRow.request["emotion"].as_string(), ReplyRow.emotion)
        return (ReplyRow.emotion == slot) & (asked == slot)


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """One arm in numbers. `met`: answers by the adapter of this arm; `star_score` 1–5; `seconds`: the median."""

    arm: str
    dialogues: int
    people: int
    replies: int
    met: int
    failed: int
    reasons: dict[str, int]
    fit_checked: int
    fit_ok: int
    up: int
    down: int
    starred: int
    star_score: float | None
    again: int
    seconds: float | None


def counted(answers: Sequence[Answer], votes: Sequence[Vote], canary: str | None) -> dict[str, ArmCounts]:
    """Counts by arm as it was given (intention to treat); `met` says how far it was what people got."""
    return {
        arm: _counts(
            arm,
            [one for one in answers if one.arm == arm],
            [one for one in votes if one.arm == arm],
            canary,
        )
        for arm in (ACTIVE, CANARY)
    }


def _counts(arm: str, answers: Sequence[Answer], votes: Sequence[Vote], canary: str | None) -> ArmCounts:
    done = [one for one in answers if one.state == "done"]
    reasons: dict[str, int] = {}
    for one in answers:
        if one.state != "done":
            reasons[one.reason or one.state] = reasons.get(one.reason or one.state, 0) + 1
    stars = [one.stars for one in votes if one.stars is not None]
    seconds = sorted(one.seconds for one in done if one.seconds is not None)
    return ArmCounts(
        arm=arm,
        dialogues=len({(one.chat_id, one.epoch) for one in answers}),
        people=len({one.user_id for one in answers}),
        replies=len(answers),
        met=sum((one.adapter == canary) == (arm == CANARY) for one in done),
        failed=sum(reasons.values()),
        reasons=reasons,
        fit_checked=sum(one.fit_ok is not None for one in done),
        fit_ok=sum(bool(one.fit_ok) for one in done),
        up=sum(one.thumb == 1 for one in votes),
        down=sum(one.thumb == -1 for one in votes),
        starred=len(stars),
        star_score=sum(stars) / len(stars) if stars else None,
        again=sum(one.again for one in done),
        seconds=seconds[len(seconds) // 2] if seconds else None,
    )


def _answer(row: Any) -> Answer:
    request, chat, user, epoch, arm, adapter, state, reason, fit_ok, again, created, answered, generate, classify = row
    seconds = (generate or 0.0) + (classify or 0.0)
    if seconds <= 0 or state != "done":
        seconds = (answered - created).total_seconds() if answered is not None and state == "done" else None
    told = None if seconds is None or seconds < 0 else float(seconds)
    return Answer(request, chat, user, epoch, arm, adapter, state, reason, fit_ok, told, bool(again), created)


def _worth(thumb: int | None, stars: float | None) -> float | None:
    """A judgement in [0, 1]; stars say more than a thumb. None if there is neither."""
    if stars is not None:
        return (stars - 1) / 4
    return None if not thumb else (thumb + 1) / 2
