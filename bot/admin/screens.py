"""What an operator sees: text with formatting and buttons, shown as a new message or in the place of an old one.

Formatting goes as entities, never as markup, so nothing that is quoted can become markup. Knows no content.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from aiogram.utils.formatting import Text

from bot.split import units

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
CUT = "…"
GONE = ("message to edit not found", "message can't be edited", "chat not found", "message_id_invalid")


@dataclass(frozen=True, slots=True)
class Screen:
    """One message."""

    text: Text
    keyboard: InlineKeyboardMarkup | None = None


def plain(words: str) -> Text:
    """Words without formatting."""
    return Text(words)


def fits(text: Text, limit: int) -> Text:
    """The text; one that Telegram would refuse is cut and loses its formatting."""
    words, _ = text.render()
    return text if units(words) <= limit else Text(clipped(words, limit))


def clipped(words: str, limit: int) -> str:
    """At most `limit` UTF-16 units, with «…» where something was cut off."""
    if units(words) <= limit:
        return words
    kept = words[: limit - 1]
    while units(kept) > limit - 1:
        kept = kept[:-1]
    return kept + CUT


async def send(bot: Bot, chat_id: int, screen: Screen) -> int:
    """A new message; its id."""
    message = await bot.send_message(
        chat_id, reply_markup=screen.keyboard, **fits(screen.text, TEXT_LIMIT).as_kwargs(replace_parse_mode=True)
    )
    return message.message_id


async def replace(query: CallbackQuery, screen: Screen) -> None:
    """In the place of the message under which the button is; one that shows this already, or is gone, is no error."""
    message = query.message
    if not isinstance(message, Message):
        return
    bot = message.bot
    if bot is not None:
        await edit(bot, message.chat.id, message.message_id, screen, caption=message.photo is not None)


async def edit(bot: Bot, chat_id: int, message_id: int, screen: Screen, *, caption: bool = False) -> bool:
    """In the place of a message; False if there is no such message (any more), or its person does not want us."""
    try:
        if caption:
            await bot.edit_message_caption(
                chat_id=chat_id,
                message_id=message_id,
                reply_markup=screen.keyboard,
                **fits(screen.text, CAPTION_LIMIT).as_caption_kwargs(replace_parse_mode=True),
            )
        else:
            await bot.edit_message_text(
                chat_id=chat_id,
                message_id=message_id,
                reply_markup=screen.keyboard,
                **fits(screen.text, TEXT_LIMIT).as_kwargs(replace_parse_mode=True),
            )
    except TelegramForbiddenError:
        return False
    except TelegramBadRequest as error:
        return not any(sign in error.message.lower() for sign in GONE)
    return True
