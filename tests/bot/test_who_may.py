"""Groups, operators, people in danger, other kinds of content, people in a hurry."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from bot.playground.world import World
from tests.bot.stage import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST_PERSON = World().next_person


async def test_in_a_group_only_when_meant_and_settings_for_admins(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await anna.group("Друзья", boris)
        assert (await anna.next_message(chat=group)).text == texts.HELLO_GROUP
        await boris.next_message(chat=group)
        await boris.send("просто разговор", chat=group)
        await boris.silence(0.4, chat=group)
        asked = await boris.send("@otklik_bot, как дела?", chat=group)
        answer = await boris.next_message(chat=group)
        assert (answer.text, answer.reply_to) == ("[joy 2] как дела?", asked.id)
        await anna.send("а у тебя?", chat=group, reply_to=answer.id)
        assert (await boris.next_message(chat=group)).text == "[joy 2] а у тебя?"
        assert (await boris.ask("/emotion@otklik_bot грусть", chat=group)).text == texts.ONLY_ADMINS
        await anna.send("/emotion@otklik_bot", chat=group)
        keyboard = await boris.next_message(chat=group)
        assert (await boris.press(keyboard, "грусть")).text == texts.ONLY_ADMINS
        assert "грусть" in (await anna.press(keyboard, "грусть")).text
        await boris.press(answer, "👍")
        await anna.press(answer, "👍")
        await anna.until(answer, lambda seen: seen.buttons[0][0] == "👍 2")


async def test_stats_are_for_operators(tmp_path: Path) -> None:
    async with stage(tmp_path, admins=(FIRST_PERSON,)) as scene, scene.person() as anna, scene.person("Боря") as boris:
        assert anna.id == FIRST_PERSON
        await anna.ask("Привет")
        assert "Людей: 1" in (await anna.ask("/stats")).text
        assert (await boris.ask("/stats")).text == texts.UNKNOWN_COMMAND


async def test_a_crisis_message_gets_help_and_never_reaches_the_queue(scene: Stage) -> None:
    async with scene.person() as anna:
        card = await anna.ask("я больше не хочу жить")
        assert card.text == texts.CRISIS
        assert {"8-800-2000-122", "124", "112"} <= set(card.text.split())
        await anna.send_photo(caption="хочу умереть")
        assert (await anna.next_message()).text == texts.CRISIS
        mine = await anna.send("умираю со смеху")
        answer = await anna.next_message()
        assert answer.text == "[joy 2] умираю со смеху"
        await anna.edit(mine, "хочу умереть")
        assert (await anna.next_message()).text == texts.CRISIS
        await anna.ask("спасибо")
        assert all("хочу" not in turn.text for request in scene.worker.asked for turn in request.turns)
        async with scene.database.view() as unit:
            assert "хочу" not in "".join(row.text for row in await unit.inbox.of_user(anna.id))


async def test_other_content_gets_a_friendly_answer(tmp_path: Path) -> None:
    async with stage(tmp_path, max_message_chars=100) as scene, scene.person() as anna:
        await anna.send_photo()
        assert (await anna.next_message()).text == texts.PHOTO
        await anna.send_sticker()
        assert (await anna.next_message()).text == texts.STICKER
        await anna.send_voice()
        assert (await anna.next_message()).text == texts.VOICE
        await anna.send_document(b"text")
        assert (await anna.next_message()).text == texts.DOCUMENT
        assert "100" in (await anna.ask("слово " * 30)).text
        assert (await anna.ask("/nosuchcommand")).text == texts.UNKNOWN_COMMAND
        assert scene.worker.asked == []


async def test_people_in_a_hurry_are_told_once(tmp_path: Path) -> None:
    async with stage(tmp_path, rate_limit=2, rate_window_seconds=60) as scene, scene.person() as anna:
        await anna.ask("раз")
        await anna.ask("два")
        assert "Слишком быстро" in (await anna.ask("три")).text
        await anna.send("четыре")
        await anna.silence(0.4)
        assert len(scene.worker.asked) == 2


async def test_commands_are_in_the_menu(tmp_path: Path) -> None:
    async with stage(tmp_path, admins=(FIRST_PERSON,)) as scene, scene.person() as anna, scene.person("Боря") as boris:
        await anna.ask("/help")
        await scene.stop()
        await scene.start()
        await anna.ask("/help")
        assert "stats" in await anna.menu()
        assert "emotion" in await boris.menu() and "stats" not in await boris.menu()
