"""What may be thrown away: rules on made-up histories, and a random walk through the real registry."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from storage import adapter_files, registry_garbage
from storage.contracts import JobState, TrainJob, now
from storage.loop_tables import AdapterRow
from storage.registry import RegistryError
from storage.registry_garbage import collect
from storage.registry_rules import earlier, promoted, referenced
from tests.storage.registry_shop import Shop, shop, url

__all__ = ["shop", "url"]  # fixtures

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"a-{number:012x}" for number in range(8)]


@dataclass
class Step:
    """One change of a slot."""

    action: str
    before: str | None
    after: str | None


@dataclass
class Slot:
    """A slot."""

    name: str
    active: str | None
    canary: str | None = None


@dataclass
class Made:
    """An adapter."""

    adapter_id: str
    parent: str | None = None
    job_id: str | None = None
    state: str = "retired"
    created_at: datetime = LONG_AGO


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Promotions and rollbacks that follow from one another, from the worker's own."""
    steps: list[Step] = []
    active: str | None = None
    for _ in range(draw(st.integers(0, 12))):
        pile = earlier(steps)
        back: bool = draw(st.booleans())
        if pile and back:
            steps.append(Step("rollback", active, draw(st.sampled_from(pile))))
        else:
            steps.append(Step("promote", active, draw(st.sampled_from([None, *NAMES]))))
        active = steps[-1].after
    return steps


@given(histories())
def test_rolling_back_again_and_again_ends_with_the_workers_own(steps: list[Step]) -> None:
    for _ in range(len(steps) + 1):
        pile = earlier(steps)
        if not pile:
            break
        steps.append(Step("rollback", steps[-1].after, pile[0]))
    assert earlier(steps) == []
    assert not steps or steps[-1].after is None


@given(histories(), st.integers(0, 4), st.sampled_from([None, *NAMES]), st.sampled_from(NAMES), st.booleans())
def test_what_is_referenced_stays(
    steps: list[Step], keep: int, canary: str | None, worked_on: str, young: bool
) -> None:
    active = steps[-1].after if steps else None
    made = [Made(name, parent=NAMES[place - 1] if place else None) for place, name in enumerate(NAMES)]
    made[3].job_id = "open"
    made[4].created_at = LONG_AGO + timedelta(hours=1 if young else -30)
    slot = Slot("shared", active, canary)
    stay = referenced([slot], {"shared": steps}, made, {worked_on}, {"open"}, keep, LONG_AGO + timedelta(hours=2))
    parents = {one.adapter_id: one.parent for one in made}
    wanted = {active, canary, worked_on, NAMES[3], parents.get(active or ""), parents.get(canary or "")}
    wanted |= {NAMES[4]} if young else set()
    assert (wanted | promoted(steps, keep)) - {None} <= stay
    assert set(earlier(steps)[:1]) - {None} <= stay


def test_what_nothing_refers_to_goes() -> None:
    made = [Made(name) for name in NAMES]
    steps = [Step("promote", before, after) for before, after in zip([None, *NAMES[:5]], NAMES[:6], strict=True)]
    stay = referenced([Slot("shared", NAMES[5])], {"shared": steps}, made, (), (), 2, LONG_AGO + timedelta(days=2))
    assert stay == {NAMES[5], NAMES[4]}


async def grow_old(shop: Shop) -> None:
    async with shop.database.unit() as unit:
        await unit.session.execute(update(AdapterRow).values(created_at=now() - timedelta(days=2)))
        await unit.commit()


async def test_garbage_is_thrown_away_once_it_is_a_day_old_and_its_row_stays_as_lineage(shop: Shop) -> None:
    a, b, c = [await shop.add(name) for name in "abc"]
    await shop.registry.promote(a)
    assert await shop.registry.collect_garbage(1) == []
    await grow_old(shop)
    assert set(await shop.registry.collect_garbage(1)) == {b, c}
    assert await shop.registry.collect_garbage(1) == []
    assert await shop.states() == {a: "live", b: "deleted", c: "deleted"}
    with pytest.raises(RegistryError, match="thrown away"):
        await shop.registry.promote(b)
    assert await shop.add("b") == b
    await shop.registry.promote(b)
    assert await shop.active() == b


async def test_files_that_vanished_are_noticed_and_thrown_away_as_garbage(shop: Shop) -> None:
    a = await shop.add("a")
    await grow_old(shop)
    async with shop.database.view() as unit:
        row = await unit.adapters.get(a)
    assert row is not None
    adapter_files.discard(row.location)
    with pytest.raises(RegistryError, match="there is no adapter at"):
        await shop.registry.promote(a)
    assert [name for name, wrong in (await shop.registry.verify()).items() if wrong] == [a]
    assert await shop.registry.collect_garbage() == [a]
    assert await shop.states() == {a: "deleted"}


async def test_whoever_was_killed_while_removing_files_is_followed_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(location: str) -> None:
        raise RuntimeError("killed")

    a = await shop.add("a")
    await grow_old(shop)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(registry_garbage, "discard", killed)
        await shop.registry.collect_garbage()
    assert await shop.states() == {a: "deleted"}
    assert (shop.store / a).exists()
    assert await shop.registry.collect_garbage() == []  # it may still be at work
    assert await collect(shop.database, 1, now() + timedelta(hours=1)) == [a]
    assert not (shop.store / a).exists()
    assert await shop.add("a") == a
    await shop.registry.promote(a)


async def test_adding_what_is_being_removed_waits_until_it_is_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(location: str) -> None:
        time.sleep(0.7)
        adapter_files.discard(location)

    a = await shop.add("a")
    await grow_old(shop)
    monkeypatch.setattr(registry_garbage, "discard", slowly)
    removing = asyncio.create_task(shop.registry.collect_garbage())
    await asyncio.sleep(0.3)
    assert await shop.states() == {a: "deleted"}
    assert await shop.add("a") == a
    assert removing.done() and await removing == [a]
    await shop.registry.promote(a)
    assert await shop.states() == {a: "live"}


async def test_throwing_away_and_promoting_at_once_never_leaves_a_pointer_without_files(shop: Shop) -> None:
    async def promote(name: str) -> None:
        with contextlib.suppress(RegistryError):  # it was thrown away first
            await shop.registry.promote(name)

    names = [await shop.add(f"{number}") for number in range(6)]
    await grow_old(shop)
    gone, *_ = await asyncio.gather(collect(shop.database, 1), *(promote(name) for name in names))
    assert gone is not None
    await look(shop, set(gone))
    again = await asyncio.gather(*(shop.add(f"{number}") for number in range(6)), collect(shop.database, 1))
    assert again[:6] == names
    assert all(wrong == [] for wrong in (await shop.registry.verify()).values())


@pytest.mark.parametrize("seed", range(3))
async def test_a_random_walk_never_loses_what_is_referenced(shop: Shop, seed: int) -> None:
    dice = random.Random(seed)
    known: list[str] = []
    for step in range(40):
        slot = dice.choice(["shared", "joy"])
        with contextlib.suppress(RegistryError):  # refused: nothing to go back to, thrown away, already there
            await one_step(shop, dice, known, slot, step)
        if step % 5 == 4:
            await grow_old(shop)
            await look(shop, set(await collect(shop.database, keep=dice.choice([1, 2]))))


async def one_step(shop: Shop, dice: random.Random, known: list[str], slot: str, step: int) -> None:
    """Something that an admin or the loop may do."""
    what = dice.choice(["add", "add", "job", "promote", "promote", "rollback", "canary", "end", "end job"])
    if what in ("add", "job") or not known:
        job = f"j{step}" if what == "job" else None
        if job:
            async with shop.database.unit() as unit:
                await unit.jobs.add(TrainJob(job_id=job, method="kto"), trigger="command", slot=job)
                await unit.commit()
        parent = dice.choice(known) if known else None
        known.append(await shop.add(f"{step}", parent=parent, job_id=job))
    elif what == "promote":
        await shop.registry.promote(dice.choice(known), slot=slot)
    elif what == "rollback":
        await shop.registry.rollback(slot)
    elif what == "canary":
        await shop.registry.begin_canary(dice.choice(known), 0.1, slot=slot)
    elif what == "end":
        await shop.registry.end_canary(slot=slot)
    else:
        async with shop.database.unit() as unit:
            for job_row in (await unit.jobs.open())[:1]:
                await unit.jobs.move(job_row.job_id, JobState.REJECTED)
            await unit.commit()


async def look(shop: Shop, gone: set[str]) -> None:
    """Nothing that is pointed at, may be needed next or is worked on was thrown away; what serves is whole."""
    async with shop.database.view() as unit:
        slots = await unit.slots.all()
        rows = {row.adapter_id: row for row in await unit.adapters.all()}
        pointed = {name for slot in slots for name in (slot.active, slot.canary) if name}
        back = {name for slot in slots for name in earlier(await unit.slots.changes(slot.name))[:1]}
        open_jobs = {job.job_id for job in await unit.jobs.open()}
    used = pointed | {name for name, row in rows.items() if row.job_id in open_jobs}
    assert not gone & (used | back | {rows[name].parent for name in used})
    for name in pointed:
        assert adapter_files.faults(rows[name].location, rows[name].sha256) == []
    for name, row in rows.items():
        assert Path(row.location).exists() == (row.state != "deleted"), name
    assert pointed <= {one.adapter_id for one in (await shop.registry.publish()).adapters}
