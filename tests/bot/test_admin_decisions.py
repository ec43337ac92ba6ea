"""A trained version waits for a decision: card, canary, live, rejection; two operators at once; news, once each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from bot.admin import texts
from bot.playground.person import Person, Seen
from bot.playground.world import World
from storage import registry, registry_rows, registry_rules
from storage.contracts import JobState
from tests.bot.stage import Stage, stage, until
from tests.bot.trainer import Trainer, show, tap

ADMIN = World().next_person
OTHER = ADMIN + 1


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, admins=(ADMIN, OTHER), admin_edit_seconds=0.05) as scene:
        yield scene


@pytest_asyncio.fixture
async def trainer(scene: Stage) -> Trainer:
    key = "{otklik}:fsm:admin-news:jobs"
    await until(lambda: scene.redis.exists(key))
    return Trainer(scene)


async def card_of(person: Person) -> Seen:
    """The next picture that the bot sends."""
    while True:
        message = await person.next_message()
        if message.media is not None:
            return message


async def test_the_card_shows_old_against_new_and_brings_the_version_to_people(scene: Stage, trainer: Trainer) -> None:
    async with scene.person() as anna:
        await anna.ask("/admin")
        await trainer.order("nightly")
        assert (await anna.next_message()).text.startswith("🎓 Переобучение поставлено")
        adapter = await trainer.finish("nightly")
        card = await card_of(anna)
        assert "попадание в эмоцию: 41\u00a0% → 58\u00a0%" in card.text
        assert f"{texts.VERDICT_PASSED}\n• эмоция попадает чаще" in card.text
        assert card.buttons[0] == ["🐤 5 %", "🐤 10 %", "🐤 25 %", "🐤 50 %"]

        card = await tap(anna, card, "🐤 25 %", "Да, канарейка 25 %")
        assert "25 % диалогов для общего слота" in card.text
        card = await tap(anna, card, texts.NO, "🐤 5 %")
        assert (await trainer.job("nightly")).state == JobState.GATED
        card = await tap(anna, card, "🐤 25 %", "Да, канарейка 25 %")
        card = await tap(anna, card, "Да, канарейка 25 %", texts.JOB_ENDS[JobState.CANARY])
        serving = await trainer.board.serving()
        assert serving is not None
        assert (serving.slots[0].canary, serving.slots[0].share) == (adapter, 0.25)
        card = await tap(anna, card, "🐤 50 %", "Да, канарейка 50 %")
        await anna.press(card, "Да, канарейка 50 %")
        serving = await trainer.board.serving()
        assert serving is not None and serving.slots[0].share == 0.5

        card = await anna.until(card, lambda seen: [texts.TO_LIVE, texts.REJECT] in seen.buttons)
        card = await tap(anna, card, texts.TO_LIVE, texts.SURE_LIVE)
        card = await tap(anna, card, texts.SURE_LIVE, texts.JOB_ENDS[JobState.LIVE])
        serving = await trainer.board.serving()
        assert serving is not None and serving.slots[0].active == adapter
        assert (await trainer.job("nightly")).state == JobState.LIVE
        panel = await show(anna, "/admin", texts.PANEL)
        assert f"общий: {adapter[:12]}" in panel.text
        async with scene.database.view() as unit:
            assert [row.action for row in await unit.audit.last()] == ["promote", "share", "canary"]


async def test_of_two_operators_at_once_one_has_the_effect_and_the_other_is_told(
    scene: Stage, trainer: Trainer
) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        await asyncio.gather(anna.ask("/admin"), boris.ask("/admin"))
        await trainer.order("nightly")
        await trainer.finish("nightly")
        hers, his = await asyncio.gather(card_of(anna), card_of(boris))
        hers = await tap(anna, hers, texts.TO_LIVE, texts.SURE_LIVE)
        his = await tap(boris, his, texts.REJECT, texts.SURE_REJECT)
        toasts = await asyncio.gather(anna.press(hers, texts.SURE_LIVE), boris.press(his, texts.SURE_REJECT))
        assert sorted(toast.alert for toast in toasts) == [False, True]
        loser = next(toast for toast in toasts if toast.alert)
        assert "Уже поздно" in loser.text or "пока вы решали" in loser.text
        async with scene.database.view() as unit:
            assert len([row for row in await unit.audit.last() if row.allowed]) == 1


async def test_a_version_that_failed_the_check_offers_no_way_to_people(scene: Stage, trainer: Trainer) -> None:
    async with scene.person() as anna:
        await anna.ask("/admin")
        await trainer.order("nightly")
        await trainer.finish("nightly", passed=False)
        card = await card_of(anna)
        assert texts.VERDICT_FAILED in card.text and "не чаще" in card.text
        assert card.buttons == [[texts.TO_PANEL]]


async def test_each_change_is_told_once_also_over_restarts_and_not_to_whom_it_was_done_by(
    scene: Stage, trainer: Trainer
) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        await asyncio.gather(anna.ask("/admin"), boris.ask("/admin"))
        first, second = await trainer.adapter("one"), await trainer.adapter("two")
        await trainer.registry.promote(first, by=OTHER)
        assert (await anna.next_message()).text.startswith(f"🚀 Общий слот: теперь отвечает {first[:12]}")
        await scene.stop()
        await trainer.registry.begin_canary(second, 0.1)
        await trainer.registry.end_canary(reason="эмоция попадает реже")
        await scene.start()
        for person in (anna, boris):
            assert "отвечает 10 % диалогов" in (await person.next_message()).text
            stopped = (await person.next_message()).text
            assert "остановлена\nПочему: эмоция попадает реже\nСамо" in stopped
        await scene.stop()
        await scene.start()
        await asyncio.gather(anna.silence(1.5), boris.silence(1.5))


async def test_a_failed_refit_is_told_with_its_reason(scene: Stage, trainer: Trainer) -> None:
    async with scene.person() as anna:
        await anna.ask("/admin")
        await trainer.order("nightly")
        await anna.next_message()
        await trainer.move("nightly", JobState.FAILED, error="мало памяти")
        told = await anna.next_message()
        assert told.text == "⚠️ Переобучение не получилось: авто для общего слота\nПричина: мало памяти"
        shown = await tap(anna, told, texts.NEWS_SHOW, texts.JOB_ENDS[JobState.FAILED])
        assert shown.buttons == [[texts.TO_PANEL]]


async def test_what_the_registry_refuses_is_told_in_russian(scene: Stage, trainer: Trainer) -> None:
    """The command line tells the same in English."""
    async with scene.person() as anna:
        await anna.ask("/admin")
        await trainer.order("nightly")
        adapter = await trainer.finish("nightly")
        card = await tap(anna, await card_of(anna), texts.TO_LIVE, texts.SURE_LIVE)
        (scene.storage.dir / "adapters" / adapter / "adapter_model.safetensors").write_bytes(b"cut off")
        toast = await anna.press(card, texts.SURE_LIVE)
        assert toast.text == texts.REFUSED_BY_REGISTRY["damaged"].format(adapter=adapter)
        assert (await trainer.job("nightly")).state == JobState.GATED


def test_every_refusal_of_the_registry_has_its_russian_words() -> None:
    source = "".join(
        Path(module.__file__ or "").read_text("utf-8") for module in (registry, registry_rows, registry_rules)
    )
    causes = set(re.findall(r"RegistryError\((?:said|f?\".*?\"), \"(\w+)\"", source))
    causes |= {"tainted"}  # its text takes two lines
    assert len(causes) >= 10 and causes == set(texts.REFUSED_BY_REGISTRY)
