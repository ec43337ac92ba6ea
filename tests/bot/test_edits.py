"""Edits of what was refused, in groups, and of what was never meant for the bot."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Person
from bot.refusals import MOST, Refusals
from storage.keys import Keys
from storage.tables import InboxRow
from tests.bot.stage import Stage, stage
from tests.bot.test_own_data import read

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def stored(scene: Stage, chat: int, message: int) -> InboxRow | None:
    async with scene.database.view() as unit:
        return await unit.inbox.get(chat, message)


async def together(founder: Person, other: Person) -> int:
    """A group that has read the greeting."""
    group = await founder.group("Друзья", other)
    for one in (founder, other):
        await one.next_message(chat=group)
    return group


async def test_a_message_too_long_is_answered_once_it_is_shortened(tmp_path: Path) -> None:
    async with stage(tmp_path, max_message_chars=20) as scene, scene.person() as anna:
        mine = await anna.send("слово " * 5)
        assert "20" in (await anna.next_message()).text
        row = await stored(scene, anna.id, mine.id)
        assert row is not None and (row.state, row.text) == ("refused", "")
        await anna.edit(mine, "всё ещё " * 5)
        assert "20" in (await anna.next_message()).text
        await anna.edit(mine, "короче")
        assert (await anna.next_message()).text == "[joy 2] короче"
        await anna.edit(mine, "ещё короче")
        answer = (await anna.history())[-1]
        await anna.until(answer, lambda seen: seen.text == "[joy 2] ещё короче" and seen.edited)


async def test_a_message_sent_too_fast_is_answered_when_it_is_edited_later(tmp_path: Path) -> None:
    async with stage(tmp_path, rate_limit=1) as scene, scene.person() as anna:
        await anna.ask("раз")
        mine = await anna.send("два")
        assert "Слишком быстро" in (await anna.next_message()).text
        key = scene.parts.services.limiter.keys.limit(anna.id) if scene.parts else ""
        await scene.redis.delete(key)  # the window is over
        await anna.edit(mine, "два с половиной")
        assert (await anna.next_message()).text == "[joy 2] два с половиной"
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["раз", "[joy 2] раз", "два с половиной"]


async def test_a_refused_message_that_becomes_a_cry_for_help_gets_the_card(tmp_path: Path) -> None:
    async with stage(tmp_path, max_message_chars=20) as scene, scene.person() as anna:
        mine = await anna.send("слово " * 5)
        await anna.next_message()
        await anna.edit(mine, "хочу умереть")
        assert (await anna.next_message()).text == texts.CRISIS
        assert scene.worker.asked == []


async def test_a_persona_that_is_edited_is_no_message(scene: Stage) -> None:
    async with scene.person() as anna:
        personas = await anna.ask("/persona")
        await anna.press(personas, texts.BUTTON_OWN_PERSONA)
        await anna.next_message()
        mine = await anna.send("пират")
        await anna.next_message()
        await anna.edit(mine, "старый пират")
        assert (await anna.ask("Кто ты?")).text == "[joy 2] Кто ты?"
        assert len(scene.worker.asked_in(anna.id)) == 1


async def test_a_persona_that_is_edited_in_a_group_is_no_message(tmp_path: Path) -> None:
    async with stage(tmp_path, max_persona_chars=20) as scene, scene.person() as anna, scene.person("Боря") as boris:
        group = await together(anna, boris)
        personas = await anna.ask("/persona@otklik_bot", chat=group)
        await anna.press(personas, texts.BUTTON_OWN_PERSONA)
        await anna.next_message(chat=group)
        long = await anna.send("@otklik_bot " + "ворчливый " * 3 + "кот", chat=group)
        assert "20" in (await anna.next_message(chat=group)).text
        mine = await anna.send("@otklik_bot ворчливый кит", chat=group)
        assert "ворчливый кит" in (await anna.next_message(chat=group)).text
        await anna.edit(mine, "@otklik_bot ворчливый кот")
        await anna.edit(long, "@otklik_bot ворчливый кот")
        assert (await anna.ask("@otklik_bot кто ты?", chat=group)).text == "[joy 2] кто ты?"
        assert [one.turns[-1].text for one in scene.worker.asked_in(group)] == ["кто ты?"]
        row = await stored(scene, group, mine.id)
        assert row is not None and (row.state, row.text) == ("persona", "")
        exported = read(scene, await anna.ask("/export"))["messages"]
        assert [one["text"] for one in exported] == ["кто ты?"]


async def test_what_was_said_before_forgetting_comes_back_by_no_edit(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await together(anna, boris)
        mine = await anna.send("@otklik_bot секрет", chat=group)
        assert (await boris.next_message(chat=group)).text == "[joy 2] секрет"
        question = await anna.ask("/forget")
        await anna.press(question, texts.BUTTON_FORGET_YES)
        await anna.until(question, lambda seen: seen.text == texts.FORGET_DONE)
        await anna.edit(mine, "@otklik_bot тот же секрет")
        assert (await boris.ask("@otklik_bot, привет", chat=group)).text == "[joy 2] привет"
        assert await stored(scene, group, mine.id) is None
        assert [one.turns[-1].text for one in scene.worker.asked_in(group)] == ["секрет", "привет"]


async def test_a_mention_added_long_afterwards_is_left_in_peace(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna, scene.person("Боря") as boris:
        group = await together(anna, boris)
        aside = await boris.send("давным-давно", chat=group)
        scene.world.clock = lambda: time.time() + 4000
        await boris.edit(aside, "@otklik_bot давным-давно")
        assert (await boris.ask("@otklik_bot, привет", chat=group)).text == "[joy 2] привет"
        assert await stored(scene, group, aside.id) is None


async def test_messages_sent_too_fast_fill_no_table(tmp_path: Path) -> None:
    async with stage(tmp_path, rate_limit=1, max_message_chars=20) as scene, scene.person() as anna:
        assert "20" in (await anna.ask("слово " * 5)).text
        fast = await anna.send("два")
        assert "Слишком быстро" in (await anna.next_message()).text
        assert read(scene, await anna.ask("/export"))["messages"] == []
        assert await stored(scene, anna.id, fast.id) is None
        refusals = Refusals(scene.redis, Keys())
        for number in range(MOST + 3):
            await refusals.add(7, 7, number)
        assert [number for number in range(MOST + 3) if not await refusals.knows(7, 7, number)] == [0, 1, 2]
        assert 0 < await scene.redis.ttl(Keys().refused(7, 7)) <= 48 * 3600


async def test_edits_of_bystanders_in_a_group_are_left_in_peace(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, rate_limit=1, max_message_chars=40) as scene,
        scene.person() as anna,
        scene.person("Боря") as boris,
    ):
        group = await together(anna, boris)
        aside = await boris.send("просто разговор", chat=group)
        for text in ("просто болтовня", "слово " * 10, "опять болтовня"):
            await boris.edit(aside, text)
        # None of that was answered, or counted.
        asked = await boris.send("@otklik_bot, как дела?", chat=group)
        answer = await boris.next_message(chat=group)
        assert (answer.text, answer.reply_to) == ("[joy 2] как дела?", asked.id)
        assert await stored(scene, group, aside.id) is None


async def test_an_edit_in_a_group_is_answered_again_with_the_mention_or_without(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await together(anna, boris)
        asked = await boris.send("@otklik_bot, как дела?", chat=group)
        answer = await boris.next_message(chat=group)
        await boris.edit(asked, "@otklik_bot, как жизнь?")
        await boris.until(answer, lambda seen: seen.text == "[joy 2] как жизнь?")
        await boris.edit(asked, "как погода?")
        await boris.until(answer, lambda seen: seen.text == "[joy 2] как погода?")
        forgotten = await boris.send("скажи что-нибудь", chat=group)
        await boris.edit(forgotten, "@otklik_bot, скажи что-нибудь")
        answer = await boris.next_message(chat=group)
        assert (answer.text, answer.reply_to) == ("[joy 2] скажи что-нибудь", forgotten.id)


async def test_a_cry_for_help_by_edit_is_heard_in_a_group_without_the_mention(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await together(anna, boris)
        asked = await boris.send("@otklik_bot, привет", chat=group)
        await boris.next_message(chat=group)
        await boris.edit(asked, "хочу умереть")
        assert (await boris.next_message(chat=group)).text == texts.CRISIS
        assert all("умереть" not in request.turns[-1].text for request in scene.worker.asked_in(group))
