"""The «/» menu: setMyCommands and its scopes. Does not know what a command does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.playground.chatting import standing
from bot.playground.errors import bad_request
from bot.playground.params import Params
from bot.playground.state import BotAccount, Chat, CommandSet, Json

if TYPE_CHECKING:
    from bot.playground.world import World

NAME = re.compile(r"^/?([a-z0-9_]{1,32})$")
SCOPES = {
    "default": (),
    "all_private_chats": (),
    "all_group_chats": (),
    "all_chat_administrators": (),
    "chat": ("chat_id",),
    "chat_administrators": ("chat_id",),
    "chat_member": ("chat_id", "user_id"),
}


def _scope(world: World, bot: BotAccount, params: Params) -> Json:
    given = params.object("scope") or {"type": "default"}
    kind = str(given.get("type", "default"))
    if kind not in SCOPES:
        raise bad_request("can't parse BotCommandScope: unsupported type specified")
    scope: Json = {"type": kind}
    for name in SCOPES[kind]:
        try:
            scope[name] = int(given[name])
        except (KeyError, TypeError, ValueError):
            raise bad_request("chat not found") from None
    if "chat_id" in scope:
        world.bot_chat(bot, scope["chat_id"])
    return scope


def _command(given: Json) -> Json:
    name = NAME.match(str(given.get("command", "")))
    description = str(given.get("description", "")).strip()
    if name is None:
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(description) <= 256:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name.group(1), "description": description}


def set_my_commands(world: World, bot: BotAccount, params: Params) -> bool:
    """setMyCommands."""
    given = params.json("commands")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise bad_request("can't parse commands JSON array")
    if len(given) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    commands = [_command(one) for one in given]
    scope, language = _scope(world, bot, params), params.text("language_code")
    _forget(bot, scope, language)
    if commands:
        bot.commands.append(CommandSet(scope, language, commands))
    world.emit("world", {})
    return True


def delete_my_commands(world: World, bot: BotAccount, params: Params) -> bool:
    """deleteMyCommands."""
    _forget(bot, _scope(world, bot, params), params.text("language_code"))
    world.emit("world", {})
    return True


def get_my_commands(world: World, bot: BotAccount, params: Params) -> list[Json]:
    """getMyCommands: exactly this scope and language."""
    return _exact(bot, _scope(world, bot, params), params.text("language_code")) or []


def menu(bot: BotAccount, chat: Chat, person: int, language: str) -> list[Json]:
    """What a person sees after «/»: the narrowest scope wins, their language before none."""
    scopes: list[Json] = []
    if chat.kind == "private":
        scopes += [{"type": "chat", "chat_id": chat.id}, {"type": "all_private_chats"}]
    else:
        scopes.append({"type": "chat_member", "chat_id": chat.id, "user_id": person})
        admin = standing(chat, person) in ("creator", "administrator")
        scopes += [{"type": "chat_administrators", "chat_id": chat.id}] if admin else []
        scopes.append({"type": "chat", "chat_id": chat.id})
        scopes += [{"type": "all_chat_administrators"}] if admin else []
        scopes.append({"type": "all_group_chats"})
    scopes.append({"type": "default"})
    for scope in scopes:
        for code in (language, ""):
            found = _exact(bot, scope, code)
            if found:
                return found
    return []


def _exact(bot: BotAccount, scope: Json, language: str) -> list[Json] | None:
    return next((s.commands for s in bot.commands if (s.scope, s.language) == (scope, language)), None)


def _forget(bot: BotAccount, scope: Json, language: str) -> None:
    bot.commands = [s for s in bot.commands if (s.scope, s.language) != (scope, language)]
