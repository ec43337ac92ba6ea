"""Emotion, intensity, persona, consent, and that a restart forgets none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from tests.bot.stage import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_emotion_by_command_and_by_pages(scene: Stage) -> None:
    async with scene.person() as anna:
        assert "злость" in (await anna.ask("/emotion злость")).text
        assert (await anna.ask("Привет")).text == "[anger 2] Привет"
        keyboard = await anna.ask("/emotion фиолетовость")
        assert keyboard.text == texts.EMOTION_UNKNOWN
        assert any("злость ✓" in label for row in keyboard.buttons for label in row)
        await anna.press(keyboard, "▶")
        first = await anna.until(keyboard, lambda seen: seen.buttons != keyboard.buttons)
        await anna.press(first, "◀")
        second = await anna.until(keyboard, lambda seen: seen.buttons == keyboard.buttons)
        toast = await anna.press(second, "сочувствие")
        assert "сочувствие" in toast.text
        assert (await anna.ask("Ещё раз")).text == "[sympathy 2] Ещё раз"
        assert "подбирается" in (await anna.ask("/emotion авто")).text
        await anna.ask("И снова")
        assert scene.worker.asked[-1].emotion == "auto"


async def test_an_answer_shows_which_emotion_auto_chose(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        await anna.ask("/emotion авто")
        answer = await anna.ask("Мы выиграли!")
        chosen = f"{texts.BUTTON_DETAILS} · 😊 радость"
        assert answer.buttons[-1] == [chosen]
        await anna.press(answer, texts.BUTTON_ANOTHER)
        other = await anna.until(answer, lambda seen: "#1" in seen.text)
        assert other.buttons[-1] == [chosen]
        await anna.press(other, "👍")
        rated = await anna.until(other, lambda seen: any("✓" in label for row in seen.buttons for label in row))
        assert rated.buttons[-1] == [chosen]
        await anna.press(rated, chosen)
        panel = await anna.until(rated, lambda seen: seen.buttons[-1] == [texts.BUTTON_DONE])
        await anna.press(panel, texts.BUTTON_DONE)
        assert (await anna.until(panel, lambda seen: seen.buttons != panel.buttons)).buttons[-1] == [chosen]
        await anna.ask("/emotion радость")
        assert (await anna.ask("Снова мы!")).buttons[-1] == [texts.BUTTON_DETAILS]


async def test_intensity_and_persona(tmp_path: Path) -> None:
    async with stage(tmp_path, max_persona_chars=40) as scene, scene.person() as anna:
        steps = await anna.ask("/intensity")
        await anna.press(steps, "Очень сильно")
        assert (await anna.ask("Привет")).text == "[joy 3] Привет"
        assert (await anna.ask("/intensity сильно")).text == texts.INTENSITY_UNKNOWN
        personas = await anna.ask("/persona")
        await anna.press(personas, "Домашний кот")
        await anna.ask("Кто ты?")
        assert "кот" in scene.worker.asked[-1].persona
        await anna.press(personas, "Своя")
        assert "40" in (await anna.next_message()).text
        assert "40" in (await anna.ask("очень " * 20)).text
        assert "капитан дальнего плавания" in (await anna.ask("капитан дальнего плавания")).text
        await anna.ask("Куда плывём?")
        assert scene.worker.asked[-1].persona == "капитан дальнего плавания"
        await anna.press(personas, "Без роли")
        await anna.ask("А теперь?")
        assert scene.worker.asked[-1].persona == ""


async def test_a_restart_keeps_settings_dialogue_and_ratings(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        await anna.ask("/emotion страх")
        await anna.ask("/intensity 1")
        await anna.ask("/persona сова")
        answer = await anna.ask("Темно")
        await anna.press(answer, "👎")
        await anna.press(answer, texts.BUTTON_DETAILS)
        await scene.stop()
        await anna.send("Есть кто?")
        await scene.start()
        second = await anna.next_message()
        assert (second.text, scene.worker.asked[-1].persona) == ("[fear 1] Есть кто?", "сова")
        panel = await anna.until(answer, lambda seen: texts.BUTTON_DONE in seen.buttons[-1])
        await anna.press(panel, texts.BUTTON_DONE)
        await anna.until(answer, lambda seen: seen.buttons[0][:2] == ["👍", "👎 ✓"])
        await scene.drain_ratings()
        async with scene.database.view() as unit:
            assert [row.thumb for row in await unit.ratings.of_user(anna.id)] == [-1]
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["Темно", "[fear 1] Темно", "Есть кто?"]
        toast = await anna.press(answer, "👍")
        assert toast.text == texts.THUMB_UP
        await anna.until(answer, lambda seen: seen.buttons[0][0] == "👍 ✓" and seen.buttons[0][1] == "👎")


async def test_consent_is_asked_once_and_can_change(scene: Stage) -> None:
    async with scene.person() as anna:
        await anna.ask("/start")
        question = await anna.next_message()
        await anna.press(question, "Можно")
        await anna.until(question, lambda seen: seen.text == texts.CONSENT_YES)
        async with scene.database.view() as unit:
            assert anna.id in await unit.people.consenting()
        await anna.ask("/start")
        await anna.silence(0.3)
        privacy = await anna.ask("/privacy")
        assert "обучение: есть" in privacy.text
        await anna.press(privacy, "Не нужно")
        async with scene.database.view() as unit:
            assert anna.id not in await unit.people.consenting()


async def test_reset_starts_a_new_dialogue(scene: Stage) -> None:
    async with scene.person() as anna:
        await anna.ask("Меня зовут Аня")
        assert (await anna.ask("/reset")).text == texts.RESET_DONE
        await anna.ask("Как меня зовут?")
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["Как меня зовут?"]
