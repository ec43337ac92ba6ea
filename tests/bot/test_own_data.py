"""What people get of their own data, and that nobody gets, or decides on, somebody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot import texts
from bot.playground.person import Person, Seen
from tests.bot.stage import Stage
from tests.bot.test_judging import flat, ratings

pytestmark = pytest.mark.asyncio(loop_scope="session")


def read(scene: Stage, message: Seen) -> dict[str, Any]:
    """The file of a message."""
    assert message.media is not None
    file = scene.world.files.known[message.media["file_id"]]
    assert (file.name, message.media["kind"]) == ("otklik.json", "document")
    found: dict[str, Any] = json.loads(scene.world.files.read(file))
    return found


async def lives(scene: Stage, person: Person, word: str) -> Seen:
    """Somebody sets everything, talks, judges; `word` marks what is theirs. Their group's talk is theirs, too."""
    await person.ask("/start")
    await person.press(await person.next_message(), texts.BUTTON_AGREE)
    await person.ask("/emotion грусть")
    await person.ask("/intensity 3")
    await person.ask(f"/persona роль {word}")
    answer = await person.ask(f"говорит {word}")
    await person.press(answer, "👎")
    await person.press(answer, "👍")
    await person.press(answer, texts.BUTTON_DETAILS)
    panel = await person.until(answer, lambda seen: texts.BUTTON_DONE in flat(seen))
    await person.press(panel, "4")
    await person.send(f"/fix лучше {word}", reply_to=answer.id)
    assert (await person.next_message()).text == texts.FIX_DONE
    return answer


async def test_the_export_has_everything_of_the_person_and_nothing_of_others(scene: Stage) -> None:
    async with scene.person("Анна-имя") as anna, scene.person("Борис-имя") as boris:
        answer = await lives(scene, anna, "анна")
        await lives(scene, boris, "борис")
        group = await anna.group("Общая", boris)
        for one in (anna, boris):
            await one.next_message(chat=group)
        for one, word in ((boris, "борис"), (anna, "анна")):
            await one.send(f"@otklik_bot группа {word}", chat=group)
            said = await one.next_message(chat=group)
            if one is boris:
                await anna.next_message(chat=group)
                await boris.press(said, "👎")
        await ratings(scene, anna)
        whole = read(scene, await anna.ask("/export"))
        assert list(whole) == ["person", "chat", "messages", "replies", "ratings", "rating_history"]
        assert (whole["person"]["user_id"], whole["person"]["consent"]) == (anna.id, True)
        chat = whole["chat"]
        assert (chat["emotion"], chat["intensity"], chat["persona"]) == ("sadness", 3, "роль анна")
        assert [row["text"] for row in whole["messages"]] == ["говорит анна", "группа анна"]
        assert [row["text"] for row in whole["replies"]] == ["[sadness 3] говорит анна", "[joy 2] группа анна"]
        (rating,) = whole["ratings"]
        assert (rating["message_id"], rating["thumb"], rating["correction"]) == (answer.id, 1, "лучше анна")
        assert rating["stars"]["content"] == 4
        assert [row["rating"]["thumb"] for row in whole["rating_history"]] == [-1, 1, None, None]
        words = json.dumps(whole, ensure_ascii=False)
        assert "борис" not in words.casefold() and str(boris.id) not in words and "Анна-имя" not in words


async def test_buttons_about_own_data_are_for_their_person_alone(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        answer = await anna.ask("Мой секрет")
        question = await boris.ask("/forget")
        group = await anna.group("Общая", boris)
        greeting = await boris.next_message(chat=group)
        forged = [
            (question, f"f:{anna.id}:1"),
            (question, f"f:{anna.id}:0"),
            (greeting, f"f:{boris.id}:1"),
            (greeting, f"f:{anna.id}:1"),
            (greeting, "c:1"),
        ]
        for under, data in forged:
            toast = await boris.forge(under, data)
            assert (toast.text, toast.alert) == (texts.BUTTON_NOT_YOURS, True), data
        async with scene.database.view() as unit:
            assert [row.text for row in await unit.inbox.of_user(anna.id)] == ["Мой секрет"]
            assert anna.id not in await unit.people.forgotten() and boris.id not in await unit.people.forgotten()
            assert boris.id not in await unit.people.consenting()
        assert next(one for one in await boris.history() if one.id == question.id).text == texts.FORGET_QUESTION
        assert (await anna.press(answer, "👍")).text == texts.THUMB_UP


async def test_own_data_is_not_shown_in_front_of_others(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await anna.group("Общая", boris)
        await anna.next_message(chat=group)
        for command in ("/export", "/forget", "/privacy"):
            told = await anna.ask(f"{command}@otklik_bot", chat=group)
            assert (told.text, told.media, told.buttons) == (texts.PRIVATE_ONLY, None, [])


async def test_a_message_of_nothing_but_the_bots_name_is_empty(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        assert (await anna.ask("@otklik_bot")).text == texts.EMPTY
        group = await anna.group("Общая", boris)
        await anna.next_message(chat=group)
        assert (await anna.ask("@otklik_bot,", chat=group)).text == texts.EMPTY
        assert scene.worker.asked_in(anna.id) == scene.worker.asked_in(group) == []


async def test_an_export_too_large_for_telegram_is_said_and_not_tried_again(scene: Stage) -> None:
    async with scene.person() as anna:
        refusing = scene.world.fail_next("sendDocument", 413, "Request Entity Too Large", times=2, chat_id=anna.id)
        assert (await anna.ask("/export")).text == texts.SOMETHING_BROKE
        assert refusing.times == 1
        assert (await anna.ask("привет")).text == "[joy 2] привет"
        scene.world.faults.planned.remove(refusing)
