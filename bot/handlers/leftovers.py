"""What fits nowhere else: other kinds of content, unknown commands, unknown buttons. Comes after all other handlers."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.enums import ContentType
from aiogram.types import CallbackQuery, Message

from bot import callbacks as c
from bot import texts
from bot.addressing import addressed
from bot.albums import Albums
from bot.screen import say

ANSWERS = {
    ContentType.PHOTO: texts.PHOTO,
    ContentType.VIDEO: texts.PHOTO,
    ContentType.ANIMATION: texts.PHOTO,
    ContentType.STICKER: texts.STICKER,
    ContentType.VOICE: texts.VOICE,
    ContentType.AUDIO: texts.VOICE,
    ContentType.VIDEO_NOTE: texts.VOICE,
    ContentType.DOCUMENT: texts.DOCUMENT,
    ContentType.LOCATION: texts.ONLY_TEXT,
    ContentType.VENUE: texts.ONLY_TEXT,
    ContentType.CONTACT: texts.ONLY_TEXT,
    ContentType.POLL: texts.ONLY_TEXT,
    ContentType.DICE: texts.ONLY_TEXT,
    ContentType.GAME: texts.ONLY_TEXT,
    ContentType.STORY: texts.ONLY_TEXT,
    ContentType.PAID_MEDIA: texts.ONLY_TEXT,
}


def unknown_commands() -> Router:
    """Fresh router; comes before ordinary messages."""
    commands = Router(name="unknown commands")
    commands.message.register(unknown_command, F.text.startswith("/") | F.caption.startswith("/"), addressed)
    return commands


def router() -> Router:
    """Fresh router; comes last but for errors."""
    leftovers = Router(name="leftovers")
    leftovers.message.register(other_content, F.content_type.in_(set(ANSWERS)), addressed)
    leftovers.callback_query.register(label, c.Label.filter())
    leftovers.callback_query.register(unknown_button)
    return leftovers


async def unknown_command(message: Message) -> None:
    """There is no such command."""
    await message.reply(texts.UNKNOWN_COMMAND)


async def other_content(message: Message, albums: Albums) -> None:
    """What works instead; once for an album."""
    if not albums.speaks(message):
        return
    await message.reply(ANSWERS.get(ContentType(message.content_type), texts.ONLY_TEXT))


async def label(query: CallbackQuery) -> None:
    """A button that only shows something."""
    await say(query, "")


async def unknown_button(query: CallbackQuery) -> None:
    """Forged or from an older release: nothing changes."""
    await say(query, texts.BUTTON_UNKNOWN, alert=True)
