"""After a promotion: what is clearly worse than before is taken back once, an equal one stays."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import update

from bench import guard
from bench.canary import World
from storage.contracts import now
from storage.loop_tables import SlotChangeRow
from tests.canary_world import Worth, talk
from tests.storage.registry_shop import Shop, shop, url
from tests.training.cycle.test_canary_watch import look
from training.after_promotion import swing
from training.canary import CanaryRules, Decision
from training.sequential import Seen

__all__ = ["shop", "url"]


async def replaced(shop: Shop, before: Worth, after: Worth) -> tuple[str, str]:
    """Three days of one adapter, then a day of another; from midnight on, so that each day has the same chats at
    whatever hour this runs: how days differ counts."""
    old, new = await shop.add("old"), await shop.add("new")
    began = now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=4)
    await shop.registry.promote(old)
    await moved(shop, began)
    await talk(shop.database, range(1, 251), lambda _: before, since=began, hours=70)
    await shop.registry.promote(new)
    await moved(shop, began + timedelta(days=3))
    await talk(shop.database, range(301, 551), lambda _: after, since=began + timedelta(days=3), hours=20)
    return old, new


async def moved(shop: Shop, at: object) -> None:
    """Let the newest change have been then."""
    async with shop.database.unit() as unit:
        newest = (await unit.slots.history("shared"))[0]
        await unit.session.execute(update(SlotChangeRow).where(SlotChangeRow.id == newest.id).values(at=at))
        await unit.commit()


async def test_a_fall_after_a_promotion_is_taken_back_and_only_once(shop: Shop) -> None:
    old, new = await replaced(shop, Worth(liked=0.8), Worth(liked=0.4))
    (event,) = await look(shop)
    assert (event.decision, event.adapter) == (Decision.STOP_WORSE, new)
    assert await shop.active() == old and (await shop.states())[new] == "rejected"
    async with shop.database.view() as unit:
        change = (await unit.slots.history("shared"))[0]
    assert (change.action, change.by) == ("rollback", None) and change.reason.startswith("оценки: ")
    assert await look(shop) == []
    await shop.registry.promote(new, by=7, allow_rejected=True)
    await talk(shop.database, range(601, 801), lambda _: Worth(liked=0.3), since=now(), hours=0.001)
    assert await look(shop) == [] and await shop.active() == new, "a person has decided otherwise"


async def test_an_equal_successor_stays(shop: Shop) -> None:
    _, new = await replaced(shop, Worth(), Worth(liked=0.68))
    assert await look(shop) == [] and await shop.active() == new


async def test_an_old_promotion_is_not_looked_at_any_more(shop: Shop) -> None:
    _, new = await replaced(shop, Worth(liked=0.8), Worth(liked=0.4))
    assert await look(shop, canary={"guard_hours": 12}) == [] and await shop.active() == new


def test_the_bench_takes_back_what_fell_far_and_leaves_what_is_equal() -> None:
    assert guard.runs(World("equal", moody=0.0, chats=60), 3) == [None] * 3
    back = guard.runs(World("much worse", rating=-0.5, chats=60), 2)
    assert all(one is not None and one <= 2 for one in back)


@pytest.mark.slow
def test_moods_that_swing_are_not_blamed_on_what_was_promoted() -> None:
    swinging = World("moods swing", moody=0.3, chats=150)
    taken = [one for one in guard.runs(swinging, 8) if one is not None]
    blamed = [one for one in guard.runs(swinging, 8, rules=CanaryRules(guard_swings=0)) if one is not None]
    assert len(taken) < len(blamed) / 2


def test_how_days_differ_is_told_from_chance() -> None:
    random = np.random.default_rng(1)

    def days(spread: float) -> list[Seen]:
        likes = np.clip(0.6 + random.normal(0, spread, 14), 0, 1)
        return [
            Seen(day * 86400.0 + 60.0 * one, float(random.random() < like))
            for day, like in enumerate(likes)
            for one in range(90)
        ]

    assert swing(days(0.0)) < 0.04 and 0.1 < swing(days(0.2)) < 0.3
    assert swing(days(0.3)[:90]) == 0.0, "a single day tells nothing"
