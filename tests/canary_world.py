"""People who talk and rate, as rows: answers in both arms by the real hash, with faults, votes and times as asked."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from storage.arms import arm
from storage.contracts import Provenance, Sampling, Timings, now
from storage.database import Database, Unit
from storage.repositories.inserting import insert_if_missing
from storage.tables import ChatRow, RatingRow, ReplyRow

HOUR = 3600.0


@dataclass(frozen=True)
class Worth:
    """How an adapter does: chances of 👍, of the right emotion and of failing, and seconds an answer."""

    liked: float = 0.7
    fits: float = 0.8
    fails: float = 0.0
    seconds: float = 1.0


def provenance(adapter: str | None, seconds: float) -> dict[str, Any]:
    """As a worker writes it."""
    made = Provenance(
        base_model="stub",
        adapter=adapter,
        prompt_version="0",
        sampling=Sampling(),
        seed=1,
        worker="stub",
        timings=Timings(generate=seconds * 0.9, classify=seconds * 0.1),
    )
    return made.model_dump(mode="json")


async def talk(
    database: Database,
    chats: range,
    worths: Callable[[str], Worth],
    *,
    slot: str = "shared",
    since: datetime,
    hours: float = 48.0,
    answers: int = 1,
    rated: float = 0.8,
    seed: int = 0,
) -> None:
    """Each chat gets answers, spread over the hours, and a vote on most. `worths` by arm."""
    dice = random.Random(seed)
    async with database.unit() as unit:
        row = await unit.slots.get(slot)
        known = {"active": row.active if row else None, "canary": row.canary if row else None}
        for chat in chats:
            given = arm(chat, 0, row)
            start = since + timedelta(seconds=1 + dice.random() * hours * HOUR)
            for number in range(answers):
                at = start + timedelta(seconds=number)
                await say(unit, chat, given, known[given], worths(given), dice, at, number, rated=rated)
        await unit.commit()


async def say(
    unit: Unit,
    chat: int,
    given: str,
    adapter: str | None,
    worth: Worth,
    dice: random.Random,
    at: datetime,
    number: int = 0,
    *,
    rated: float = 1.0,
    emotion: str = "joy",
    person: int | None = None,
) -> str:
    """One turn, its answer and perhaps a vote; its request id."""
    await insert_if_missing(
        unit.session, ChatRow, chat_id=chat, kind="private", emotion=emotion, intensity=2, persona=""
    )
    turn = await unit.turns.add(chat, person or chat, 0)
    request, failed = f"{chat}-{turn.id}-{number}", dice.random() < worth.fails
    unit.session.add(
        ReplyRow(
            request_id=request,
            turn_id=turn.id,
            chat_id=chat,
            request={"emotion": emotion},
            state="failed" if failed else "done",
            reason="engine" if failed else None,
            emotion=emotion,
            arm=given,
            adapter=None if failed else adapter,
            fit_ok=None if failed else dice.random() < worth.fits,
            provenance=None if failed else provenance(adapter, worth.seconds * dice.lognormvariate(0, 0.3)),
            delivery="sent",
            created_at=at,
            answered_at=at + timedelta(seconds=2),
        )
    )
    await unit.session.flush()
    if not failed and dice.random() < rated:
        vote(unit, chat, request, 1 if dice.random() < worth.liked else -1, at + timedelta(seconds=5), person)
    return request


def vote(
    unit: Unit, chat: int, request: str, thumb: int | None, at: datetime, person: int | None = None, **more: Any
) -> None:
    """What somebody thinks of an answer."""
    unit.session.add(
        RatingRow(
            chat_id=chat,
            message_id=1,
            user_id=person or chat,
            request_id=request,
            thumb=thumb,
            source="button",
            updated_at=at,
            **more,
        )
    )


async def shift(database: Database, slot: str, days: float) -> datetime:
    """Let a slot's canary have begun days ago; the moment."""
    async with database.unit() as unit:
        row = await unit.slots.lock(slot)
        row.canary_at = now() - timedelta(days=days)
        await unit.commit()
        return row.canary_at
