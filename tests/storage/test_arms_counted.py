"""What is counted in an arm: the slot's own answers, one voice a person and answer, nobody whom no worker met."""

from __future__ import annotations

import random
from datetime import timedelta

from sqlalchemy import update

from storage.contracts import now
from storage.database import Unit
from storage.repositories.arms import Arms, Period, counted
from storage.tables import ChatRow, ReplyRow
from tests.canary_world import Worth, say, vote
from tests.storage.registry_shop import Shop, shop, url

__all__ = ["shop", "url"]

SINCE = now() - timedelta(days=1)
SURE, FAILING = Worth(liked=1.0, fits=1.0, seconds=2.0), Worth(fails=1.0)


async def one(unit: Unit, chat: int, arm: str = "active", adapter: str | None = None, **said: object) -> str:
    worth = said.pop("worth", SURE)
    at = SINCE + timedelta(minutes=abs(chat))
    return await say(unit, chat, arm, adapter, worth, random.Random(chat), at, **{"rated": 0.0, **said})  # type: ignore[arg-type]


async def test_both_arms_in_numbers(shop: Shop) -> None:
    async with shop.database.unit() as unit:
        first = await one(unit, 1, "canary", "new")
        await one(unit, 2, "canary", "old")
        await one(unit, 3, "canary", worth=FAILING)
        other = await one(unit, 4, "active", "old")
        full = await one(unit, 5, "canary", worth=FAILING)
        await unit.session.execute(update(ReplyRow).where(ReplyRow.request_id == full).values(reason="queue_full"))
        for person, thumb in ((1, 1), (7, -1), (8, None)):
            vote(unit, 1, first, thumb, now(), person)
        stars = {"content": 5, "grammar": 5, "structure": 5, "style": 5}
        vote(unit, 4, other, None, now(), 4, stars=stars)
        await unit.commit()
    async with shop.database.view() as unit:
        arms = Arms(unit.session)
        answers, votes = await arms.answers("shared", Period(SINCE)), await arms.votes("shared", Period(SINCE))
    found = counted(answers, votes, "new")
    canary, active = found["canary"], found["active"]
    assert (canary.replies, canary.dialogues, canary.met, canary.failed, canary.reasons) == (3, 3, 1, 1, {"engine": 1})
    assert (canary.up, canary.down, canary.starred, canary.fit_ok) == (1, 1, 0, 2)
    assert (active.up, active.starred, active.star_score) == (0, 1, 5.0)
    assert active.seconds is not None and 0.5 < active.seconds < 6


async def test_a_vote_that_was_changed_counts_as_it_stands(shop: Shop) -> None:
    async with shop.database.unit() as unit:
        request = await one(unit, 1)
        vote(unit, 1, request, -1, now() - timedelta(minutes=1))
        await unit.session.flush()
        row = (await unit.ratings.all())[0]
        row.thumb, row.updated_at = 1, now()
        await unit.commit()
    async with shop.database.view() as unit:
        assert [one.worth for one in await Arms(unit.session).votes("shared", Period(SINCE))] == [1.0]


async def test_answers_of_other_slots_other_callers_and_other_times_are_left_out(shop: Shop) -> None:
    async with shop.database.unit() as unit:
        await unit.slots.point("joy", "its-own", action="promote", by=None)
        shared, own = await one(unit, 1, emotion="sadness"), await one(unit, 2, emotion="joy")
        led = await one(unit, 3, emotion="joy")
        await unit.session.execute(
            update(ReplyRow).where(ReplyRow.request_id == led).values(request={"emotion": "auto"})
        )
        await one(unit, -1, emotion="sadness", person=5)
        chat = await unit.session.get(ChatRow, -1)
        await unit.session.delete(chat)  # who calls the API has no chat
        await one(unit, 4, "its-own", emotion="joy")
        await unit.commit()
    async with shop.database.view() as unit:
        arms = Arms(unit.session)
        assert [one.request_id for one in await arms.answers("shared", Period(SINCE))] == [shared]
        assert [one.request_id for one in await arms.answers("joy", Period(SINCE))] == [own]
        assert await arms.answers("joy", Period(now())) == []
        assert await arms.answers("joy", Period(SINCE, until=SINCE)) == []


async def test_what_is_read_is_bounded(shop: Shop) -> None:
    async with shop.database.unit() as unit:
        for chat in range(1, 6):
            await one(unit, chat)
        await unit.commit()
    async with shop.database.view() as unit:
        found = await Arms(unit.session).answers("shared", Period(SINCE), limit=3)
    assert [one.chat_id for one in found] == [1, 2, 3]
