"""The watch over canaries on real SQL: a worse one goes, an equal one stays, a better one wins, and once each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from storage.contracts import JobState, Loaded, TrainJob, now
from storage.conversation import Conversation
from tests.canary_world import Worth, shift, talk
from tests.storage.registry_shop import Shop, shop, url
from training.canary import Decision
from training.cycle.canary_event import Event
from training.cycle.canary_watch import watch_once

__all__ = ["shop", "url"]


@dataclass(frozen=True)
class Settings:
    auto_promote: bool = False
    canary: dict[str, Any] = field(default_factory=dict)


async def begin(shop: Shop, *, days: float = 3, share: float = 0.5, slot: str = "shared") -> tuple[str, str, Any]:
    """An active adapter and a canary with its job, begun days ago."""
    old, new = await shop.add("old"), await shop.add("new")
    await shop.registry.promote(old)
    async with shop.database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="j", method="kto"), trigger="admin", slot=slot)
        await unit.jobs.move("j", JobState.CANARY)
        await unit.commit()
    await shop.registry.begin_canary(new, share, slot=slot, job_id="j")
    return old, new, await shift(shop.database, slot, days)


async def look(shop: Shop, **settings: Any) -> list[Event]:
    return await watch_once(shop.database, shop.registry, shop.board, Settings(**settings))


async def job(shop: Shop) -> tuple[str, str]:
    async with shop.database.view() as unit:
        row = await unit.jobs.get("j")
        assert row is not None
        return row.state, (await unit.jobs.changes("j"))[-1].note


async def test_a_worse_canary_is_taken_away_with_its_reasons(shop: Shop) -> None:
    old, new, since = await begin(shop)
    await talk(shop.database, range(1, 401), lambda arm: Worth(liked=0.4 if arm == "canary" else 0.8), since=since)
    (event,) = await look(shop)
    assert (event.decision, event.adapter, event.job_id) == (Decision.STOP_WORSE, new, "j")
    assert event.reasons_ru[0].startswith("оценки: хуже, ")
    assert await shop.active() == old
    assert (await shop.states())[new] == "rejected"
    state, note = await job(shop)
    assert state == "rejected" and note.startswith("оценки: хуже")
    assert (await shop.history())[-1] == ("stop", new, None)
    async with shop.database.view() as unit:
        assert (await unit.slots.history("shared"))[0].reason == note
    await talk(shop.database, range(1001, 1101), lambda _: Worth(liked=1.0), since=since)
    assert await look(shop) == [], "what is said afterwards changes nothing"


async def test_an_equal_canary_goes_on(shop: Shop) -> None:
    _, new, since = await begin(shop)
    await talk(shop.database, range(1, 301), lambda _: Worth(), since=since)
    assert await look(shop, auto_promote=True) == []
    assert (await shop.states())[new] == "canary" and (await job(shop))[0] == "canary"


async def test_a_better_canary_is_promoted_where_that_is_allowed(shop: Shop) -> None:
    old, new, since = await begin(shop)
    worths = {"canary": Worth(liked=0.95, fits=0.95), "active": Worth(liked=0.5, fits=0.6)}
    await talk(shop.database, range(1, 601), worths.__getitem__, since=since)
    (event,) = await look(shop, auto_promote=True)
    assert event.decision is Decision.WIN and event.promoted
    assert await shop.active() == new
    assert await shop.states() == {old: "retired", new: "live"}
    state, note = await job(shop)
    assert state == "live" and note.startswith("Канарейка выиграла: оценки: лучше")
    assert await look(shop, auto_promote=True) == []


async def test_without_leave_an_admin_is_told_once_that_it_won(shop: Shop) -> None:
    old, new, since = await begin(shop)
    worths = {"canary": Worth(liked=0.95, fits=0.95), "active": Worth(liked=0.5, fits=0.6)}
    await talk(shop.database, range(1, 601), worths.__getitem__, since=since)
    told = await asyncio.gather(*(look(shop) for _ in range(3)))
    assert [event.promoted for events in told for event in events] == [False]
    assert await look(shop) == [] and await shop.active() == old
    state, note = await job(shop)
    assert state == "canary" and note.startswith("Канарейка выиграла")
    assert (await shop.history())[-1] == ("won", old, new)


async def test_two_trainers_at_once_stop_once(shop: Shop) -> None:
    _, new, since = await begin(shop)
    await talk(shop.database, range(1, 401), lambda arm: Worth(liked=0.2 if arm == "canary" else 0.9), since=since)
    found = await asyncio.gather(*(look(shop) for _ in range(4)))
    assert sum(len(events) for events in found) == 1
    assert [one for one in await shop.history() if one[0] == "stop"] == [("stop", new, None)]


async def test_failing_answers_stop_it_long_before_any_rating(shop: Shop) -> None:
    await begin(shop)
    async with shop.database.view() as unit:
        slot = await unit.slots.get("shared")
    assert slot is not None and slot.canary_at is not None
    await talk(
        shop.database, range(1, 61), lambda arm: Worth(fails=0.9 if arm == "canary" else 0.02), since=slot.canary_at
    )
    (event,) = await look(shop)
    assert event.decision is Decision.STOP_WORSE and event.reasons_ru[0].startswith("ошибки: ")


async def test_a_canary_that_no_worker_can_load_ends(shop: Shop) -> None:
    _, new, _ = await begin(shop, days=0.01)
    line = Conversation(shop.board.redis, shop.registry.settings)
    for worker, wrong in (("one", {new: "sha256 differs"}), ("two", {})):
        await line.beat(worker, seconds=30)
        await shop.board.report(Loaded(worker=worker, revision=9, faults=wrong))
    assert await look(shop) == [], "one worker has it"
    await shop.board.report(Loaded(worker="two", revision=9, faults={new: "no space"}))
    (event,) = await look(shop)
    assert event.decision is Decision.STOP_WORSE and "загрузить" in event.reasons_ru[0]
    assert (await job(shop))[0] == "rejected"


async def test_nothing_shown_in_the_longest_time_is_said_once(shop: Shop) -> None:
    _, new, since = await begin(shop, days=15)
    await talk(shop.database, range(1, 41), lambda _: Worth(), since=since)
    (event,) = await look(shop)
    assert event.decision is Decision.STALE
    assert await look(shop) == [] and (await shop.states())[new] == "canary"


async def test_a_canary_that_an_admin_replaced_meanwhile_is_left_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, since = await begin(shop)
    third = await shop.add("third")
    await talk(shop.database, range(1, 401), lambda arm: Worth(liked=0.2 if arm == "canary" else 0.9), since=since)
    ended = shop.registry.end_canary

    async def late(**said: Any) -> Any:
        await shop.registry.begin_canary(third, 0.1)
        return await ended(**said)

    monkeypatch.setattr(shop.registry, "end_canary", late)
    assert await look(shop) == []
    assert (await shop.states())[third] == "canary"


async def test_a_preset_of_its_own_is_judged_by_its_own_answers(shop: Shop) -> None:
    _, new, since = await begin(shop, slot="joy")
    worths = {"canary": Worth(liked=0.3), "active": Worth(liked=0.9)}
    await talk(shop.database, range(1, 301), worths.__getitem__, since=since, slot="joy")
    assert [one.slot for one in await look(shop)] == ["joy"]
    assert now() - since > timedelta(days=2) and (await shop.states())[new] == "rejected"
