"""The menu and the help: every command is named, in Russian, and operators' commands are shown to them alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot import texts
from bot.admin.texts import COMMANDS as ADMIN_COMMANDS
from bot.playground.world import World
from tests.bot.stage import TOKEN, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST_PERSON = World().next_person
RUSSIAN = re.compile(r"[А-ЯЁ][^A-Za-z]*")


async def test_each_scope_has_its_commands_in_russian(tmp_path: Path) -> None:
    async with stage(tmp_path, admins=(FIRST_PERSON,)) as scene, scene.person() as anna, scene.person("Боря") as boris:
        await anna.ask("/help")
        await scene.stop()
        await scene.start()
        assert (await boris.ask("/help")).text == texts.HELP
        sets = {tuple(one.scope.items()): one.commands for one in scene.world.bots[TOKEN].commands}
        everybody = [name for name, _ in texts.COMMANDS]
        operators = [name for name, _ in ADMIN_COMMANDS]
        assert {scope: [one["command"] for one in commands] for scope, commands in sets.items()} == {
            (("type", "all_private_chats"),): everybody,
            (("type", "all_group_chats"),): [name for name in everybody if name in texts.GROUP_COMMANDS],
            (("type", "chat"), ("chat_id", anna.id)): operators + everybody,
        }
        assert not set(operators) & set(everybody) and set(texts.GROUP_COMMANDS) <= set(everybody)
        for command in (one for commands in sets.values() for one in commands):
            assert RUSSIAN.fullmatch(command["description"]), command
        assert await anna.menu() == operators + everybody
        group = await anna.group("Друзья", boris)
        assert await anna.menu(group) == await boris.menu(group) == list(texts.GROUP_COMMANDS)
        assert await boris.menu() == everybody
        await boris.next_message(chat=group)
        await boris.send("/help", chat=group)
        told = (await boris.next_message(chat=group)).text
        named = set(re.findall(r"^• /([a-z]+)", told, re.MULTILINE))
        assert told == texts.HELP_GROUP
        assert named == set(texts.GROUP_COMMANDS)


async def test_the_help_names_every_command_and_every_command_is_there(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        told = (await anna.ask("/help")).text
        named = set(re.findall(r"^• /([a-z]+)", told, re.MULTILINE))
        assert named == {name for name, _ in texts.COMMANDS}
        for name in sorted(named):
            answer = await anna.ask(f"/{name}")
            assert answer.text != texts.UNKNOWN_COMMAND, name
            if name == "start":
                await anna.next_message()
