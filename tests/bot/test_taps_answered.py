"""A tap is answered before anything on the screen changes: Telegram may make the change wait, a tap would expire."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from bot.admin import adapter_texts, preset_texts
from bot.admin import texts as admin_texts
from bot.playground.person import Person, Seen
from bot.playground.world import World
from tests.bot.stage import Stage, stage, until
from tests.bot.test_judging import flat
from tests.bot.trainer import Trainer, show

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST_PERSON = World().next_person


async def in_order(scene: Stage, person: Person, message: Seen, button: str) -> list[str]:
    """What the person saw after a press, the first two things; the change is refused with «wait» once."""
    events = scene.world.events
    before = events.seq
    for method in ("editMessageReplyMarkup", "editMessageText"):
        scene.world.fail_next(method, retry_after=1, chat_id=person.id)
    try:
        await person.press(message, button)
        await until(lambda: len(_seen(scene, person, before)) >= 2)
        return _seen(scene, person, before)[:2]
    finally:
        scene.world.faults.planned.clear()


def _seen(scene: Stage, person: Person, before: int) -> list[str]:
    missed = scene.world.events.since(before, person.id)
    return [event.kind for event in missed if event.kind in ("callback", "changed", "message")]


async def test_judging_and_leafing_answer_the_tap_first(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        answer = await anna.until(answer, lambda seen: "2/2" in flat(seen))
        assert await in_order(scene, anna, answer, "👍") == ["callback", "changed"]
        assert await in_order(scene, anna, answer, texts.BUTTON_DETAILS) == ["callback", "changed"]
        panel = await anna.until(answer, lambda seen: texts.BUTTON_DONE in flat(seen))
        for button in ("3", texts.BUTTON_WRONG_EMOTION, texts.BUTTON_DONE):
            assert await in_order(scene, anna, panel, button) == ["callback", "changed"], button
        assert await in_order(scene, anna, answer, "◀") == ["callback", "changed"]


async def test_a_judgement_is_stored_before_the_tap_is_answered(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        # A handler goes no further than this answer.
        refused = scene.world.fail_next("answerCallbackQuery", 403)
        await anna.press_only(answer, answer.data("👎"))
        await until(lambda: not refused.times)
        stored = await scene.book.of_user(anna.id, answer.id, anna.id)
        assert stored is not None and stored.thumb == -1


async def test_settings_and_own_data_answer_the_tap_first(scene: Stage) -> None:
    async with scene.person() as anna:
        emotions = await anna.ask("/start")
        consent = await anna.next_message()
        assert await in_order(scene, anna, consent, texts.BUTTON_AGREE) == ["callback", "changed"]
        assert await in_order(scene, anna, emotions, "▶") == ["callback", "changed"]
        assert await in_order(scene, anna, emotions, "грусть") == ["callback", "changed"]
        assert await in_order(scene, anna, await anna.ask("/intensity"), "Слегка") == ["callback", "changed"]
        personas = await anna.ask("/persona")
        assert await in_order(scene, anna, personas, "Космонавт") == ["callback", "changed"]
        assert await in_order(scene, anna, personas, texts.BUTTON_OWN_PERSONA) == ["callback", "message"]
        await anna.next_message()
        for button in (texts.BUTTON_FORGET_NO, texts.BUTTON_FORGET_YES):
            assert await in_order(scene, anna, await anna.ask("/forget"), button) == ["callback", "changed"]


async def test_operators_taps_are_answered_first(tmp_path: Path) -> None:
    async with stage(tmp_path, admins=(FIRST_PERSON,), admin_edit_seconds=0.05) as scene, scene.person() as anna:
        trainer = Trainer(scene)
        panel = await show(anna, "/admin", admin_texts.PANEL)

        async def press(*buttons: str, then: str = "changed") -> None:
            for button in buttons:
                seen = await anna.until(panel, lambda seen, button=button: button in str(seen.buttons))  # type: ignore[misc]
                assert await in_order(scene, anna, seen, button) == ["callback", then], button

        await press(admin_texts.AUDIT, admin_texts.TO_PANEL, admin_texts.PRESETS)
        await press(preset_texts.ADD, then="message")
        await press("грусть", preset_texts.OFF, "Да, выключить", admin_texts.BACK, admin_texts.TO_PANEL)
        adapter = await trainer.adapter("one")
        await press(admin_texts.ADAPTERS, adapter[:12], adapter_texts.TO_CANARY_IN, "общий", "10 %", "Да, канарейка")
        panel = await show(anna, "/admin", admin_texts.PANEL)
        await press(admin_texts.RETRAIN, "KTO", "общий", admin_texts.START, admin_texts.CANCEL)
