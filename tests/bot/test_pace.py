"""Hammering with commands, files and buttons: told once, alerts for taps; who is merely quick never notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Person
from bot.settings import BotSettings
from tests.bot.stage import Stage, stage
from tests.bot.test_judging import flat

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEFAULT = BotSettings.model_fields["action_limit"].default


async def window_is_over(scene: Stage, person: Person) -> None:
    """As if a minute had gone by."""
    assert scene.parts is not None
    pace = scene.parts.services.pace
    for limiter in (pace.ordinary, pace.own_data):
        key = limiter.keys.limit(person.id, limiter.scope)
        await scene.redis.delete(key, f"{key}:told")


async def test_whoever_hammers_commands_and_files_is_told_once_a_window(tmp_path: Path) -> None:
    async with stage(tmp_path, action_limit=3) as scene, scene.person() as anna, scene.person("Боря") as boris:
        await anna.ask("/help")
        await anna.send_sticker()
        assert (await anna.next_message()).text == texts.STICKER
        assert (await anna.ask("/nosuchcommand")).text == texts.UNKNOWN_COMMAND
        assert "Слишком быстро" in (await anna.ask("/emotion")).text
        for _ in range(3):
            await anna.send("/help")
        await anna.send_photo()
        await anna.send("/persona кот")
        assert (await anna.ask("а поговорить?")).text == "[joy 2] а поговорить?"
        assert scene.worker.asked[-1].persona == ""
        assert (await boris.ask("/help")).text == texts.HELP
        await window_is_over(scene, anna)
        assert (await anna.ask("/help")).text == texts.HELP


async def test_taps_of_whoever_hammers_get_an_alert_and_change_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, action_limit=2) as scene, scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, "👍")
        await anna.press(answer, "👎")
        for _ in range(2):
            toast = await anna.press(answer, "👍")
            assert (toast.text, toast.alert) == (texts.TOO_OFTEN_BUTTON, True)
        assert (await anna.forge(answer, "nonsense")).text == texts.TOO_OFTEN_BUTTON
        rating = await scene.book.of_user(anna.id, answer.id, anna.id)
        assert rating is not None and rating.thumb == -1
        await window_is_over(scene, anna)
        assert (await anna.press(answer, "👍")).text == texts.THUMB_UP


async def test_help_and_own_data_are_there_for_whoever_hammered(tmp_path: Path) -> None:
    async with stage(tmp_path, action_limit=2, rate_limit=1) as scene, scene.person() as anna:
        await anna.ask("Привет")
        for _ in range(2):
            await anna.ask("/help")
        assert "Слишком быстро" in (await anna.ask("/help")).text
        assert "Слишком быстро" in (await anna.ask("ещё")).text
        for _ in range(3):
            assert (await anna.ask("хочу умереть")).text == texts.CRISIS
        question = await anna.ask("/forget")
        await anna.press(question, texts.BUTTON_FORGET_YES)
        await anna.until(question, lambda seen: seen.text == texts.FORGET_DONE)
        async with scene.database.view() as unit:
            assert await unit.people.get(anna.id) is None
        assert "Слишком быстро" in (await anna.ask("/export")).text
        await window_is_over(scene, anna)
        assert (await anna.ask("/export")).text == texts.EXPORT_CAPTION
        assert "обучение" in (await anna.ask("/privacy")).text


async def test_ordinary_quick_use_is_never_limited(tmp_path: Path) -> None:
    async with stage(tmp_path, action_limit=DEFAULT) as scene, scene.person() as anna:
        taps = []
        await anna.ask("/start")
        await anna.next_message()
        for command in ("/help", "/intensity", "/persona", "/privacy"):
            await anna.ask(command)
        emotions = await anna.ask("/emotion")
        for _ in range(10):
            taps.append(await anna.forge(emotions, "ep:1"))
            taps.append(await anna.forge(emotions, "ep:0"))
        for number in range(3):
            answer = await anna.ask(f"Привет {number}")
            taps.append(await anna.press(answer, "👍"))
            taps.append(await anna.press(answer, texts.BUTTON_DETAILS))
            panel = await anna.until(answer, lambda seen: texts.BUTTON_DONE in flat(seen))
            key = panel.data("1").rpartition(":")[2]
            for stars in (3, 4, 5):
                taps += [await anna.forge(answer, f"s:{criterion}:{stars}:{key}") for criterion in "cgsy"]
            taps.append(await anna.press(panel, texts.BUTTON_WRONG_EMOTION))
            taps.append(await anna.press(panel, texts.BUTTON_DONE))
        assert len(taps) == 68 and not any(toast.alert for toast in taps)


async def test_messages_that_are_empty_or_too_long_count_as_messages(tmp_path: Path) -> None:
    async with stage(tmp_path, rate_limit=2, max_message_chars=20) as scene, scene.person() as anna:
        assert "20" in (await anna.ask("слово " * 10)).text
        assert (await anna.ask("@otklik_bot")).text == texts.EMPTY
        assert "Слишком быстро" in (await anna.ask("слово " * 10)).text
        for text in ("слово " * 10, "@otklik_bot"):
            await anna.send(text)
        assert (await anna.ask("/help")).text == texts.HELP
