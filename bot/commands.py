"""Tells Telegram what the bot is and which commands it knows: by scope, the operators' own only to them."""

from __future__ import annotations

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
)

from bot import texts
from bot.admin.texts import COMMANDS as ADMIN_COMMANDS
from bot.settings import BotSettings

log = structlog.get_logger(__name__)


def menu(names: tuple[tuple[str, str], ...]) -> list[BotCommand]:
    """As Telegram wants it."""
    return [BotCommand(command=name, description=what) for name, what in names]


async def introduce(bot: Bot, settings: BotSettings) -> None:
    """Set commands and descriptions. An operator who never wrote to the bot is skipped."""
    in_groups = tuple(entry for entry in texts.COMMANDS if entry[0] in texts.GROUP_COMMANDS)
    await bot.set_my_commands(menu(texts.COMMANDS), scope=BotCommandScopeAllPrivateChats())
    await bot.set_my_commands(menu(in_groups), scope=BotCommandScopeAllGroupChats())
    await bot.set_my_description(texts.DESCRIPTION)
    await bot.set_my_short_description(texts.SHORT_DESCRIPTION)
    for admin in settings.admins:
        await introduce_to_admin(bot, admin)


async def introduce_to_admin(bot: Bot, admin: int) -> None:
    """Put the operators' commands into one operator's menu; possible only after they wrote to the bot."""
    try:
        await bot.set_my_commands(menu(ADMIN_COMMANDS + texts.COMMANDS), scope=BotCommandScopeChat(chat_id=admin))
    except TelegramBadRequest:
        log.info("an admin has not written to the bot yet", admin=admin)
