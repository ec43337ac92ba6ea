"""`GET /v1/ratings/agreement`: whether operators agree: Krippendorff's alpha of stars, the share of same picks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from itertools import combinations
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from bot.api.access import Caller, needs
from bot.api.problems import Problem
from storage.repositories.agreement import CRITERIA, Picks, Shared, shared

router = APIRouter(prefix="/v1", tags=["ratings"])
Looking = Annotated[Caller, Depends(needs("rate", "admin"))]
STARS = (1, 2, 3, 4, 5)
# Below so many answers the coefficient swings with every single one.
FEW = 20
NOBODY = "no answer was rated by two people"
SAME = "everybody gave the same stars: chance and agreement cannot be told apart"
CARE = f"fewer than {FEW} answers were rated by two people: read the figure with care"
NO_PICKS = "no question had two people choose among its answers"


class Alpha(BaseModel):
    """Krippendorff's alpha for one criterion, or why there is none."""

    alpha: float | None = Field(description="1: full agreement, 0: what chance gives, below 0: worse than chance.")
    answers: int = Field(description="Answers that at least two people rated.")
    note: str | None = Field(default=None, description="Why there is no figure, or why to doubt it.")


class SamePicks(BaseModel):
    """How often two people who chose among the same answers picked the same one."""

    questions: int = Field(description="Questions on which at least two people chose.")
    pairs: int = Field(description="Pairs of people on them.")
    same: float | None = Field(description="Share of the pairs that picked the same answer.")
    by_chance: float | None = Field(description="The share if everybody picked at random.")
    note: str | None = None


class Agreement(BaseModel):
    """Figures over what at least two people judged."""

    people: int
    criteria: dict[str, Alpha]
    picks: SamePicks


@router.get("/ratings/agreement")
async def agreement(
    request: Request,
    caller: Looking,
    since: Annotated[datetime | None, Query(description="With a timezone; unset: everything.")] = None,
) -> Agreement:
    """Whether people agree on the same answers: of this key's ratings; with the scope admin of all.

    Ordinal alpha over stars (Krippendorff 2011); picks by pairs of people. `otklik ratings` adds intervals.
    """
    if since is not None and since.tzinfo is None:
        raise Problem(422, "no_timezone", "`since` needs a timezone, such as 2026-01-31T00:00:00Z", field="since")
    chat_id = None if "admin" in caller.scopes else caller.chat_id
    async with request.app.state.database.view() as unit:
        return figures(await shared(unit.session, chat_id=chat_id, since=since))


def figures(found: Shared) -> Agreement:
    """The coefficients of what several people judged."""
    criteria = {name: alpha(found.stars.get(name, [])) for name in CRITERIA}
    return Agreement(people=found.people, criteria=criteria, picks=same_picks(found.picks))


def alpha(answers: Sequence[Sequence[int]]) -> Alpha:
    """Alpha of marks 1–5; `answers`: the marks of one answer each, two at least."""
    if not answers:
        return Alpha(alpha=None, answers=0, note=NOBODY)
    if len({mark for marks in answers for mark in marks}) < 2:
        return Alpha(alpha=None, answers=len(answers), note=SAME)
    import krippendorff

    counts = [[marks.count(star) for star in STARS] for marks in answers]
    value = float(krippendorff.alpha(value_counts=counts, value_domain=STARS, level_of_measurement="ordinal"))
    return Alpha(alpha=round(value, 4), answers=len(answers), note=CARE if len(answers) < FEW else None)


def same_picks(picks: Sequence[Picks]) -> SamePicks:
    """Agreement of picks over all pairs of people who chose on the same question."""
    pairs = [(one == other, 1 / each.answers) for each in picks for one, other in combinations(each.chosen, 2)]
    if not pairs:
        return SamePicks(questions=0, pairs=0, same=None, by_chance=None, note=NO_PICKS)
    same = sum(equal for equal, _ in pairs) / len(pairs)
    chance = math.fsum(share for _, share in pairs) / len(pairs)
    return SamePicks(questions=len(picks), pairs=len(pairs), same=round(same, 4), by_chance=round(chance, 4))
