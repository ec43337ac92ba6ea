"""Counts over a stretch of time, for operators: answers, how long they took, fit by emotion, judgements.

Numbers only, nothing of anybody's dialogue. Every query goes by an index on time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.repositories.api_keys import FIRST, SPAN
from storage.tables import ForgottenRow, PersonRow, RatingRow, ReplyRow

# Weights of the four criteria in one number.
WEIGHTS = {"content": 0.45, "grammar": 0.20, "structure": 0.20, "style": 0.15}
LATEST = 2000


@dataclass(frozen=True, slots=True)
class Flow:
    """Requests of a stretch of time: asked, answered well, ended otherwise; seconds from asking to answering."""

    asked: int = 0
    done: int = 0
    failed: int = 0
    seconds: tuple[float, ...] = ()

    def quantile(self, share: float) -> float | None:
        """The time within which this share of the answers was there; None without answers."""
        if not self.seconds:
            return None
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Judged:
    """Judgements of a stretch of time. `stars`: mean weighted stars of the answers that have any, `starred` of them."""

    up: int = 0
    down: int = 0
    stars: float | None = None
    starred: int = 0


def weighted(stars: Mapping[str, int | None]) -> float | None:
    """One number of the criteria that were given, by their weights; None if none was."""
    given = {name: value for name in WEIGHTS if (value := stars.get(name)) is not None}
    if not given:
        return None
    return sum(WEIGHTS[name] * value for name, value in given.items()) / sum(WEIGHTS[name] for name in given)


class Figures:
    """Counts over `replies` and `ratings`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def flow(self, since: datetime) -> Flow:
        """Requests since a moment; times of the newest ones only."""
        states = await self.session.execute(
            select(ReplyRow.state, func.count()).where(ReplyRow.created_at >= since).group_by(ReplyRow.state)
        )
        counts = {str(state): int(count) for state, count in states}
        moments = await self.session.execute(
            select(ReplyRow.created_at, ReplyRow.answered_at)
            .where(ReplyRow.created_at >= since, ReplyRow.state == "done")
            .order_by(ReplyRow.created_at.desc())
            .limit(LATEST)
        )
        return Flow(
            asked=sum(counts.values()),
            done=counts.get("done", 0),
            failed=counts.get("failed", 0) + counts.get("expired", 0),
            seconds=tuple((end - begin).total_seconds() for begin, end in moments if end is not None),
        )

    async def fits(self, since: datetime) -> dict[str, tuple[int, float]]:
        """Per emotion: checked answers since a moment, and the share of them that fits."""
        rows = await self.session.execute(
            select(ReplyRow.emotion, ReplyRow.fit_ok, func.count())
            .where(ReplyRow.created_at >= since, ReplyRow.fit_ok.is_not(None))
            .group_by(ReplyRow.emotion, ReplyRow.fit_ok)
        )
        counts: dict[str, list[int]] = {}
        for emotion, fits, count in rows:
            counts.setdefault(str(emotion), [0, 0])[0 if fits else 1] += int(count)
        return {emotion: (good + bad, good / (good + bad)) for emotion, (good, bad) in counts.items()}

    async def fits_by_day(self, since: datetime) -> dict[str, dict[str, tuple[int, float]]]:
        """Per emotion and day (UTC, `2026-01-31`): checked answers, and the share of them that fits."""
        day = func.date(ReplyRow.created_at)
        rows = await self.session.execute(
            select(ReplyRow.emotion, day, ReplyRow.fit_ok, func.count())
            .where(ReplyRow.created_at >= since, ReplyRow.fit_ok.is_not(None))
            .group_by(ReplyRow.emotion, day, ReplyRow.fit_ok)
        )
        counts: dict[tuple[str, str], list[int]] = {}
        for emotion, date, fits, count in rows:
            counts.setdefault((str(emotion), str(date)), [0, 0])[0 if fits else 1] += int(count)
        found: dict[str, dict[str, tuple[int, float]]] = {}
        for (emotion, date), (good, bad) in counts.items():
            found.setdefault(emotion, {})[date] = (good + bad, good / (good + bad))
        return found

    async def consents(self) -> dict[str, int]:
        """How many people agreed to be learned from, declined, did not answer, and asked to be forgotten.

        Those behind programs were not asked by us: `taught` came through keys that learn, `untaught` through others.
        """
        counts = await self._consents(PersonRow.user_id > FIRST)
        behind = await self._consents(PersonRow.user_id < FIRST - SPAN)
        gone = await self.session.scalar(select(func.count()).select_from(ForgottenRow))
        return {
            "agreed": counts.get(True, 0),
            "declined": counts.get(False, 0),
            "unanswered": counts.get(None, 0),
            "forgotten": int(gone or 0),
            "taught": behind.get(True, 0),
            "untaught": behind.get(False, 0) + behind.get(None, 0),
        }

    async def _consents(self, who: ColumnElement[bool]) -> dict[bool | None, int]:
        query = select(PersonRow.consent, func.count()).where(who).group_by(PersonRow.consent)
        return {consent: int(count) for consent, count in await self.session.execute(query)}

    async def judged(self, since: datetime) -> Judged:
        """Judgements given since a moment, as they stand."""
        rows = (
            await self.session.execute(select(RatingRow.thumb, RatingRow.stars).where(RatingRow.updated_at >= since))
        ).all()
        scores = [score for _, stars in rows if stars and (score := weighted(stars)) is not None]
        return Judged(
            up=sum(thumb == 1 for thumb, _ in rows),
            down=sum(thumb == -1 for thumb, _ in rows),
            stars=sum(scores) / len(scores) if scores else None,
            starred=len(scores),
        )
