"""What several people said of the same answers: stars of an answer, picks among answers to a question. No statistics.

Only answers that at least two people judged are read. Of a person's several judgements the current one counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from storage.repositories.scores import WEIGHTS
from storage.tables import RatingRow, ReplyRow

CRITERIA = tuple(WEIGHTS)
Wins = Iterable[tuple[int, int, str, datetime]]


@dataclass(frozen=True, slots=True)
class Picks:
    """What each person picked among the answers to one question, of which there are `answers`."""

    answers: int
    chosen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shared:
    """Judgements of several people. `stars[criterion]`: the marks of one answer each; `people`: how many gave them."""

    stars: dict[str, list[list[int]]] = field(default_factory=dict)
    picks: list[Picks] = field(default_factory=list)
    people: int = 0


async def shared(session: AsyncSession, *, chat_id: int | None = None, since: datetime | None = None) -> Shared:
    """Judgements of one chat or of all, since a moment or ever."""
    conditions: list[ColumnElement[bool]] = [] if chat_id is None else [RatingRow.chat_id == chat_id]
    if since is not None:
        conditions.append(RatingRow.updated_at >= since)
    twice = (
        select(RatingRow.request_id)
        .where(RatingRow.stars.is_not(None), *conditions)
        .group_by(RatingRow.request_id)
        .having(func.count(RatingRow.user_id.distinct()) > 1)
    )
    marks: dict[str, dict[str, list[int]]] = {name: defaultdict(list) for name in CRITERIA}
    people: set[int] = set()
    starred = select(RatingRow.request_id, RatingRow.user_id, RatingRow.stars).where(
        RatingRow.stars.is_not(None), RatingRow.request_id.in_(twice), *conditions
    )
    for request_id, user_id, stars in await session.execute(starred):
        people.add(user_id)
        for name in CRITERIA:
            if mark := (stars or {}).get(name):
                marks[name][request_id].append(mark)
    picks, pickers = await _picks(session, conditions)
    stars_of = {name: [given for given in found.values() if len(given) > 1] for name, found in marks.items()}
    return Shared(stars_of, picks, len(people | pickers))


async def _picks(session: AsyncSession, conditions: Sequence[ColumnElement[bool]]) -> tuple[list[Picks], set[int]]:
    wins = (
        select(ReplyRow.turn_id, RatingRow.user_id, RatingRow.request_id, RatingRow.updated_at)
        .join(ReplyRow, ReplyRow.request_id == RatingRow.request_id)
        .where(RatingRow.preferred_over != "", *conditions)
    )
    found = picked((turn, user, request, at) for turn, user, request, at in await session.execute(wins))
    several = {turn: people for turn, people in found.items() if len(people) > 1}
    sizes: dict[int, int] = {}
    turns = sorted(several)
    for start in range(0, len(turns), 500):
        part = turns[start : start + 500]
        query = select(ReplyRow.turn_id, func.count()).where(ReplyRow.turn_id.in_(part)).group_by(ReplyRow.turn_id)
        sizes |= {int(turn): int(count) for turn, count in await session.execute(query)}
    picks = [Picks(sizes[turn], tuple(several[turn].values())) for turn in turns]
    return picks, {user for people in several.values() for user in people}


def picked(wins: Wins) -> dict[int, dict[int, str]]:
    """By question and person, the answer that was preferred to most others; the newest of equals.

    `wins`: question, person, winner, moment, one of each pair. After a change of mind pairs of the first choice with
    others than the second one still stand; the second choice has won more.
    """
    won: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    newest: dict[tuple[int, int, str], datetime] = {}
    for turn, user, winner, at in wins:
        won[turn, user][winner] += 1
        newest[turn, user, winner] = max(at, newest.get((turn, user, winner), at))
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for (turn, user), counts in won.items():
        found[turn][user] = max(counts, key=lambda one: (counts[one], newest[turn, user, one]))
    return dict(found)
