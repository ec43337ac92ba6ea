"""Each group has settings of its own, and only its administrators change them, by command or by button."""

from __future__ import annotations

import pytest

from bot import texts
from bot.playground.person import Person
from storage.tables import ChatRow
from tests.bot.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def group_of(founder: Person, *others: Person, title: str = "Друзья", admins: tuple[Person, ...] = ()) -> int:
    """A group whose members have read the greeting."""
    group = await founder.group(title, *others, admins=admins)
    for one in (founder, *others):
        assert (await one.next_message(chat=group)).text == texts.HELLO_GROUP
    return group


async def chat_of(scene: Stage, chat_id: int) -> ChatRow:
    async with scene.database.view() as unit:
        chat = await unit.chats.get(chat_id)
    assert chat is not None
    return chat


async def test_two_groups_and_a_private_chat_each_keep_their_own_settings(scene: Stage) -> None:
    async with scene.person() as anna:
        first, second = await group_of(anna, title="Первая"), await group_of(anna, title="Вторая")
        for command in ("/emotion@otklik_bot грусть", "/intensity@otklik_bot 1", "/persona@otklik_bot кот"):
            await anna.ask(command, chat=first)
        await anna.ask("/emotion@otklik_bot злость", chat=second)
        await anna.ask("/intensity@otklik_bot 3", chat=second)
        said = [(await anna.ask("@otklik_bot эй", chat=chat)).text for chat in (first, second, anna.home)]
        assert said == ["[sadness 1] эй", "[anger 3] эй", "[joy 2] эй"]
        personas = [scene.worker.asked_in(chat)[-1].persona for chat in (first, second, anna.id)]
        assert personas == ["кот", "", ""]


async def test_who_is_no_administrator_changes_nothing_in_a_group(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris, scene.person("Вера") as vera:
        group = await group_of(anna, boris, vera, admins=(vera,))
        await vera.ask("/emotion@otklik_bot грусть", chat=group)
        await vera.ask("/persona@otklik_bot кот", chat=group)
        await anna.ask("@otklik_bot запомни", chat=group)
        keyboards = [await anna.ask(f"/{name}@otklik_bot", chat=group) for name in ("emotion", "intensity", "persona")]
        before = await chat_of(scene, group)
        for _ in range(6):
            await boris.next_message(chat=group)
        commands = ("/emotion злость", "/emotion", "/intensity 3", "/intensity", "/persona пёс", "/persona", "/reset")
        for command in commands:
            name, _, rest = command.partition(" ")
            answer = await boris.ask(f"{name}@otklik_bot {rest}", chat=group)
            assert (answer.text, answer.buttons) == (texts.ONLY_ADMINS, []), command
        for keyboard, data in zip(keyboards * 2, ("e:anger", "i:3", "p:0", "e:auto", "i:1", "p:-2"), strict=True):
            toast = await boris.forge(keyboard, data)
            assert (toast.text, toast.alert) == (texts.ONLY_ADMINS, True), data
        assert (await boris.forge(keyboards[2], "p:-1")).text == texts.ONLY_ADMINS
        after = await chat_of(scene, group)
        settings = ("emotion", "intensity", "persona", "epoch")
        assert [getattr(after, name) for name in settings] == [getattr(before, name) for name in settings]
        shown = {seen.id: seen.buttons for seen in await anna.history(group)}
        assert all(shown[keyboard.id] == keyboard.buttons for keyboard in keyboards)
        # Not even what comes next is taken for a persona, and the dialogue goes on.
        await boris.send("@otklik_bot пёс", chat=group)
        assert (await boris.next_message(chat=group)).text == "[sadness 2] пёс"
        request = scene.worker.asked_in(group)[-1]
        assert (request.persona, request.turns[0].text) == ("кот", "запомни")


async def test_an_administrator_may_and_a_former_one_may_not(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Вера") as vera:
        group = await group_of(anna, vera, admins=(vera,))
        steps = await vera.ask("/intensity@otklik_bot", chat=group)
        assert (await vera.press(steps, "Слегка")).text == texts.INTENSITY_SET.format(words=texts.INTENSITIES[1])
        scene.world.chats[0, group].admins.clear()
        toast = await vera.forge(steps, "i:3")
        assert (toast.text, toast.alert) == (texts.ONLY_ADMINS, True)
        assert (await chat_of(scene, group)).intensity == 1
