"""From rows to outcomes: what of the arms' answers and votes counts in which test. Decides nothing.

Votes are of the chat where they were given, whoever's answer it is; one person's votes in one chat are one mean there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from storage.database import Unit
from storage.loop_tables import SlotRow
from storage.repositories.arms import Answer, Arms, Period, Vote
from training.canary import ARMS, Outcome, Trial

Outcomes = dict[str, list[Outcome]]


async def read_trial(unit: Unit, slot: SlotRow, at: datetime) -> Trial:
    """Everything about a slot's canary since it began."""
    began = slot.canary_at or at
    arms, period = Arms(unit.session), Period(began)
    answers, votes = await arms.answers(slot.name, period), await arms.votes(slot.name, period)
    ours = [one for one in answers if one.arm == ARMS[0] and one.state == "done"]
    return Trial(
        outcomes=outcomes(answers, votes),
        began=began.timestamp(),
        now=at.timestamp(),
        met=sum(one.adapter == slot.canary for one in ours) / len(ours) if ours else None,
        chats=len({one.chat_id for one in ours}),
    )


def outcomes(answers: Sequence[Answer], votes: Sequence[Vote], arm: str | None = None) -> Outcomes:
    """By measure; `arm`: under this name, whatever arm the rows have."""
    found: Outcomes = {"rating": [], "fit": [], "errors": [], "latency": []}
    for one in answers:
        worth: dict[str, float] = {"errors": float(one.state == "done")}
        if one.fit_ok is not None:
            worth["fit"] = float(one.fit_ok)
        if one.seconds is not None:
            worth["latency"] = one.seconds
        for name, value in worth.items():
            found[name].append(Outcome(arm or one.arm, one.chat_id, one.user_id, one.at.timestamp(), value))
    for vote in votes:
        found["rating"].append(Outcome(arm or vote.arm, vote.chat_id, vote.user_id, vote.at.timestamp(), vote.worth))
    return found
