"""The registry on SQLite and Postgres with the real board: promotion, rollback, canaries, taint."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage import adapter_files
from storage.adapter_manifest import StoreUnavailable
from storage.contracts import ServedSlot, Serving, TrainJob
from storage.embedded import EmbeddedRedis
from storage.presets import Presets
from storage.registry import Registry, RegistryError
from storage.repositories.presets import PresetBook
from storage.settings import StorageSettings
from tests.storage.registry_shop import Shop, shop, url

__all__ = ["shop", "url"]  # fixtures


async def test_a_promotion_is_told_with_all_that_a_worker_needs_to_fetch_it(shop: Shop, tmp_path: Path) -> None:
    a, b = await shop.add("a", data={"rows": 3}, metrics={"hit": 0.5}), await shop.add("b")
    await shop.registry.promote(a, by=1, reason="first")
    serving = await shop.registry.promote(b)
    assert await shop.board.serving() == serving
    assert [(one.name, one.active, one.canary) for one in serving.slots] == [("shared", b, None)]
    assert {one.adapter_id for one in serving.adapters} == {a, b}  # a: workers keep it for a rollback
    for one in serving.adapters:
        assert one.base == "starter" and adapter_files.fetch(one, tmp_path / "cache").name == one.adapter_id
    assert await shop.states() == {a: "retired", b: "live"}


async def test_the_same_content_twice_is_one_adapter_with_its_first_lineage(shop: Shop) -> None:
    first = await shop.add("a", job_id="j1", metrics={"hit": 1})
    assert await shop.add("a", job_id="j2", metrics={"hit": 2}) == first
    async with shop.database.view() as unit:
        rows = await unit.adapters.all()
    assert [(row.job_id, row.metrics) for row in rows] == [("j1", {"hit": 1})]


async def test_a_store_moves_by_adding_the_old_ones_folders(shop: Shop, tmp_path: Path) -> None:
    a = await shop.add("a", prompt="p1", metrics={"hit": 1})
    await shop.registry.promote(a)
    there = StorageSettings(dir=tmp_path, adapters=str(tmp_path / "new"))
    moved = Registry(shop.database, shop.board, there)
    row = await moved.add(shop.store / a, kind="lora", base="starter", method="hand")
    assert (row.adapter_id, row.prompt, row.metrics, row.state) == (a, "p1", {"hit": 1}, "live")
    assert row.location == str(tmp_path / "new" / a)
    await moved.publish()
    serving = await shop.board.serving()
    assert serving is not None and serving.adapters[0].location == row.location


async def test_two_promotions_at_once_are_both_in_the_history_and_the_last_is_the_pointer(shop: Shop) -> None:
    names = [await shop.add(name) for name in "abcd"]
    await asyncio.gather(*(shop.registry.promote(name) for name in names))
    history = await shop.history()
    assert sorted(str(after) for _, _, after in history) == sorted(names)
    assert [before for _, before, _ in history] == [None, *(after for _, _, after in history[:-1])]
    last = history[-1][2]
    assert await shop.active() == last
    assert {name for name, state in (await shop.states()).items() if state == "live"} == {last}


async def test_slots_changed_at_once_never_share_a_revision(shop: Shop) -> None:
    a = await shop.add("a")
    told = await asyncio.gather(*(shop.registry.promote(a, slot=slot) for slot in ("joy", "fear", "anger", "shared")))
    async with shop.database.view() as unit:
        revisions = sorted(slot.revision for slot in await unit.slots.all())
    assert revisions == [1, 2, 3, 4]
    assert await shop.board.serving() == max(told, key=lambda one: one.revision)


async def test_rolling_back_goes_back_step_by_step_to_the_workers_own(shop: Shop) -> None:
    a, b, c = [await shop.add(name) for name in "abc"]
    for name in (a, b, c):
        await shop.registry.promote(name)
    seen = []
    for _ in range(3):
        await shop.registry.rollback(by=7, reason="worse")
        seen.append(await shop.active())
    assert seen == [b, a, None]
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        await shop.registry.rollback()
    assert set((await shop.states()).values()) == {"retired"}


async def test_rolling_back_to_a_named_one_and_to_the_workers_own(shop: Shop) -> None:
    a, b, c = [await shop.add(name) for name in "abc"]
    for name in (a, b, c):
        await shop.registry.promote(name)
    await shop.registry.rollback(to=a)
    assert await shop.active() == a
    await shop.registry.rollback(to=None)
    assert await shop.active() is None
    with pytest.raises(RegistryError, match="there is no adapter a-0"):
        await shop.registry.rollback(to="a-000000000000")


async def test_a_rollback_passes_over_what_is_damaged_and_refuses_it_by_name(shop: Shop) -> None:
    a, b, c = [await shop.add(name) for name in "abc"]
    for name in (a, b, c):
        await shop.registry.promote(name)
    async with shop.database.view() as unit:
        row = await unit.adapters.get(b)
    assert row is not None
    (Path(row.location) / "adapter_config.json").write_text("{}")
    for forbidden in (shop.registry.rollback(to=b), shop.registry.promote(b), shop.registry.begin_canary(b, 0.1)):
        with pytest.raises(RegistryError, match=r"adapter_config\.json is damaged"):
            await forbidden
    await shop.registry.rollback(reason="worse")
    assert await shop.active() == a
    async with shop.database.view() as unit:
        reason = (await unit.slots.history("shared"))[0].reason
    assert reason.startswith("worse; ") and b in reason


async def test_going_back_does_not_wait_for_a_store_that_is_out_of_reach(shop: Shop) -> None:
    a, b = await shop.add("a"), await shop.add("b")
    await shop.registry.promote(a)
    await shop.registry.promote(b)
    async with shop.database.unit() as unit:
        row = await unit.adapters.get(a)
        assert row is not None
        row.location = "nonsense://far/away"
        await unit.commit()
    with pytest.raises(StoreUnavailable):
        await shop.registry.promote(a)
    await shop.registry.rollback()
    assert await shop.active() == a
    async with shop.database.view() as unit:
        assert "could not be checked" in (await unit.slots.history("shared"))[0].reason


async def test_a_tainted_one_is_not_promoted_unless_told_but_may_come_back(shop: Shop) -> None:
    a, b = await shop.add("a", people=[7]), await shop.add("b")
    await shop.registry.promote(a)
    assert await shop.registry.taint(7) == [a]
    assert await shop.active() == a  # it serves on until the next refit
    await shop.registry.promote(b)
    with pytest.raises(RegistryError, match="--allow-tainted"):
        await shop.registry.promote(a)
    with pytest.raises(RegistryError, match="--allow-tainted"):
        await shop.registry.begin_canary(a, 0.5)
    await shop.registry.rollback()
    assert await shop.active() == a
    async with shop.database.view() as unit:
        assert "tainted" in (await unit.slots.history("shared"))[0].reason
    await shop.registry.promote(b)
    await shop.registry.promote(a, allow_tainted=True)
    assert await shop.active() == a


async def test_what_was_tuned_on_from_a_tainted_one_is_tainted_too(shop: Shop) -> None:
    a = await shop.add("a", people=[7])
    await shop.registry.taint(7)
    b = await shop.add("b", parent=a)
    async with shop.database.view() as unit:
        row = await unit.adapters.get(b)
    assert row is not None and row.tainted_at is not None


async def test_somebody_who_was_forgotten_while_their_adapter_was_trained_taints_it(shop: Shop) -> None:
    async with shop.database.unit() as unit:
        await unit.people.consent(7, True)
        await unit.people.consent(8, True)
        await unit.jobs.add(TrainJob(job_id="j", method="kto"), trigger="admin")
        await unit.commit()
    async with shop.database.unit() as unit:
        await unit.people.forget(7)
        await unit.people.consent(7, True)  # came back, and agreed anew
        await unit.commit()
    a, b = await shop.add("a", people=[7, 8], job_id="j"), await shop.add("b", people=[8], job_id="j")
    async with shop.database.view() as unit:
        tainted = {row.adapter_id for row in await unit.adapters.all() if row.tainted_at}
        assert tainted == {a}
        assert await unit.adapters.learned_from(7) == []
        assert await unit.adapters.learned_from(8) == sorted([a, b])


async def test_a_person_forgotten_just_then_is_never_missed(shop: Shop) -> None:
    async def forget(person: int) -> None:
        async with shop.database.unit() as unit:
            await unit.adapters.taint(person)
            await unit.people.forget(person)
            await unit.commit()

    people = range(100, 110)
    async with shop.database.unit() as unit:
        for person in people:
            await unit.people.consent(person, True)
        await unit.commit()
    work = [call for person in people for call in (shop.add(f"of {person}", people=[person]), forget(person))]
    await asyncio.gather(*work)
    async with shop.database.view() as unit:
        rows = await unit.adapters.all()
        assert len(rows) == 10 and all(row.tainted_at for row in rows)
        assert [await unit.adapters.learned_from(person) for person in people] == [[]] * 10


async def test_a_canary_runs_beside_and_ends_with_a_promotion_or_a_rejection(shop: Shop) -> None:
    a, b, c = [await shop.add(name) for name in "abc"]
    await shop.registry.promote(a)
    await shop.registry.begin_canary(b, 0.1, job_id="j")
    serving = await shop.registry.set_share(0.3)
    assert [(one.active, one.canary, one.share) for one in serving.slots] == [(a, b, 0.3)]
    assert await shop.states() == {a: "live", b: "canary", c: "candidate"}
    await shop.registry.promote(b)
    await shop.registry.begin_canary(c, 0.1)
    await shop.registry.reject(c, by=1)
    serving = await shop.registry.end_canary()
    assert [(one.active, one.canary, one.share) for one in serving.slots] == [(b, None, 0.0)]
    assert await shop.states() == {a: "retired", b: "live", c: "rejected"}
    with pytest.raises(RegistryError, match="--allow-rejected"):
        await shop.registry.promote(c)
    with pytest.raises(RegistryError, match="roll back first"):
        await shop.registry.reject(b)
    with pytest.raises(RegistryError, match="already"):
        await shop.registry.begin_canary(b, 0.1)
    with pytest.raises(RegistryError, match="no canary"):
        await shop.registry.set_share(0.5)
    with pytest.raises(RegistryError, match="between 0 and 1"):
        await shop.registry.begin_canary(a, 10)


async def test_a_presets_first_canary_is_compared_with_what_people_have_now(shop: Shop) -> None:
    a, b = await shop.add("a"), await shop.add("b")
    await shop.registry.promote(a)
    serving = await shop.registry.begin_canary(b, 0.5, slot="joy")
    slots = {one.name: (one.active, one.canary) for one in serving.slots}
    assert slots == {"shared": (a, None), "joy": (a, b)}


async def test_a_slot_that_only_a_job_has_named_leaves_its_preset_to_the_shared_one(shop: Shop) -> None:
    a = await shop.add("a")
    await shop.registry.promote(a)
    async with shop.database.unit() as unit:
        await unit.slots.lock("joy")
        served = await unit.slots.serving("joy")
        await unit.commit()
    assert served is not None and served.name == "shared"
    assert [one.name for one in (await shop.registry.publish()).slots] == ["shared"]


async def test_what_redis_did_not_hear_is_said_at_the_next_publish(shop: Shop, embedded: EmbeddedRedis) -> None:
    a, b = await shop.add("a"), await shop.add("b")
    await shop.registry.promote(a)
    deaf = Registry(shop.database, None, StorageSettings(dir=shop.folder.parent))
    await deaf.promote(b)
    assert await shop.active() == a
    await shop.registry.publish()
    assert await shop.active() == b


async def test_what_another_database_has_told_is_overruled(shop: Shop) -> None:
    a = await shop.add("a")
    await shop.board.publish(Serving(revision=40, slots=(ServedSlot(name="shared", active="a-of-yesterday"),)))
    serving = await shop.registry.promote(a)
    assert serving.revision == 41 and await shop.board.serving() == serving
    assert await shop.active() == a


async def test_a_slower_teller_leaves_the_newer_word(shop: Shop) -> None:
    a, b = await shop.add("a"), await shop.add("b")
    await shop.registry.promote(a)
    old = await shop.registry.serving()
    new = await shop.registry.promote(b)
    assert not await shop.board.publish(old)
    assert await shop.registry.publish() == new == await shop.board.serving()


async def test_a_promotion_lasts_when_redis_is_down(shop: Shop, embedded: EmbeddedRedis) -> None:
    a = await shop.add("a")
    await embedded.stop()
    serving = await shop.registry.promote(a)
    assert [one.active for one in serving.slots] == [a]
    assert await shop.states() == {a: "live"}
    await embedded.start()
    await shop.registry.publish()
    assert await shop.active() == a


async def test_a_released_slot_goes_by_the_shared_one_and_workers_hear_of_it(shop: Shop) -> None:
    a, b = await shop.add("a"), await shop.add("b")
    await shop.registry.promote(a)
    before = await shop.registry.promote(b, slot="joy")
    after = await shop.registry.release("joy", by=1)
    assert [one.name for one in after.slots] == ["shared"] and after.revision > before.revision
    assert await shop.board.serving() == after
    assert await shop.states() == {a: "live", b: "retired"}
    await shop.registry.rollback("joy", to=b)
    assert await shop.active("joy") == b
    with pytest.raises(RegistryError, match="shared"):
        await shop.registry.release("shared")
    with pytest.raises(RegistryError, match="already"):
        await shop.registry.release("fear")


async def test_presets_that_operators_changed_are_told_with_those_that_are_off(shop: Shop) -> None:
    assert (await shop.registry.publish()).presets is None
    file = StorageSettings().load_presets()
    joy = next(preset for preset in file.presets if preset.id == "joy")
    async with shop.database.unit() as unit:
        book = PresetBook(unit.session)
        await book.put("joy", joy.model_copy(update={"title": "восторг"}).model_dump(mode="json"), by=1)
        await book.switch("fear", False, by=1)
        await unit.commit()
    told = Presets.model_validate((await shop.registry.publish()).presets)
    assert {preset.id for preset in told.presets} == {preset.id for preset in file.presets}
    assert next(preset.title for preset in told.presets if preset.id == "joy") == "восторг"
    assert "fear" not in told.auto.policy.values()
    serving = await shop.board.serving()
    assert serving is not None and Presets.model_validate(serving.presets) == told
