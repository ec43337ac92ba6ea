"""Dialogues that meet a canary: the same arm for all of a dialogue, its variants too, and none when it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot import texts
from storage.arms import arm
from storage.loop_tables import SlotRow
from tests.bot.stage import Stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def trial(scene: Stage, share: float, slot: str = "shared", canary: str = "tried") -> None:
    async with scene.database.unit() as unit:
        await unit.slots.begin_canary(slot, canary, share, job=None, by=None)
        await unit.commit()


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _as_before(scene: Stage) -> AsyncIterator[None]:
    yield
    async with scene.database.unit() as unit:
        for slot in await unit.slots.all():
            await unit.session.delete(slot)
        await unit.commit()


async def test_everybody_or_nobody_and_nobody_when_it_has_ended(scene: Stage) -> None:
    async with scene.person() as anna:
        await anna.ask("без канарейки")
        await trial(scene, 1.0)
        await anna.ask("все")
        await trial(scene, 0.0)
        await anna.ask("никто")
        await trial(scene, 1.0)
        async with scene.database.unit() as unit:
            await unit.slots.end_canary("shared", by=None, reason="")
            await unit.commit()
        await anna.ask("кончилась")
        assert [request.arm for request in scene.worker.asked_in(anna.id)] == ["active", "canary", "active", "active"]
        async with scene.database.view() as unit:
            assert [row.arm for row in await unit.replies.of_user(anna.id)] == ["active", "canary", "active", "active"]


async def test_a_dialogue_stays_in_its_arm_and_a_new_one_is_drawn_anew(scene: Stage) -> None:
    await trial(scene, 0.5)
    slot = SlotRow(name="shared", canary="tried", share=0.5)
    async with scene.person() as anna:
        expected = []
        for epoch in range(6):
            for word in ("раз", "два"):
                await anna.ask(word)
                expected.append(arm(anna.id, epoch, slot))
            await anna.ask("/reset")
        assert [request.arm for request in scene.worker.asked_in(anna.id)] == expected


async def test_variants_stay_in_the_turns_arm_though_the_share_changes(scene: Stage) -> None:
    await trial(scene, 1.0)
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        async with scene.database.unit() as unit:
            await unit.slots.set_share("shared", 0.0, by=None)
            await unit.commit()
        await anna.press(answer, texts.BUTTON_ANOTHER)
        second = await anna.until(answer, lambda seen: seen.text == "[joy 2] Привет #1")
        await trial(scene, 0.0, canary="another")
        await anna.press(second, texts.BUTTON_ANOTHER)
        await anna.until(answer, lambda seen: seen.text == "[joy 2] Привет #2")
        assert [request.arm for request in scene.worker.asked_in(anna.id)] == ["canary", "canary", "active"]


async def test_a_preset_with_a_slot_of_its_own_does_not_meet_the_shared_canary(scene: Stage) -> None:
    await trial(scene, 1.0)
    async with scene.database.unit() as unit:
        await unit.slots.point("joy", "its-own", action="promote", by=None)
        await unit.commit()
    async with scene.person() as anna:
        await anna.ask("радость")
        await anna.ask("/emotion грусть")
        await anna.ask("грусть")
        await anna.ask("/emotion авто")
        await anna.ask("авто")
        assert [(request.emotion, request.arm) for request in scene.worker.asked_in(anna.id)] == [
            ("joy", "active"),
            ("sadness", "canary"),
            ("auto", "canary"),
        ]


async def test_a_group_is_one_dialogue(scene: Stage) -> None:
    await trial(scene, 0.5)
    slot = SlotRow(name="shared", canary="tried", share=0.5)
    async with scene.person() as anna, scene.person("Боря") as boris:
        chat = await anna.group("Вместе", boris)
        await anna.next_message(chat=chat)
        for number, person in enumerate((anna, boris), 1):
            await person.send("@otklik_bot привет", chat=chat)
            await until(lambda wanted=number: len(scene.worker.asked_in(chat)) == wanted)  # type: ignore[misc]
            await anna.next_message(chat=chat)
        assert [request.arm for request in scene.worker.asked_in(chat)] == [arm(chat, 0, slot)] * 2
