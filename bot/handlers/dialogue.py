"""/reset and /cancel."""

from __future__ import annotations

from contextlib import suppress

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.types import Message

from bot import texts
from bot.decisions import Dropped
from bot.rights import may_set
from bot.turns import Turns
from bot.waiting import Waiting


def router() -> Router:
    """Fresh router."""
    dialogue = Router(name="dialogue")
    dialogue.message.register(reset, Command("reset"))
    dialogue.message.register(cancel, Command("cancel"))
    return dialogue


async def reset(message: Message, bot: Bot, turns: Turns) -> None:
    """Forget the dialogue window."""
    if not await may_set(bot, message):
        await message.reply(texts.ONLY_ADMINS)
        return
    await tidy(bot, message, await turns.cancel(message.chat.id, new_epoch=True))
    await message.answer(texts.RESET_DONE)


async def cancel(message: Message, bot: Bot, turns: Turns, waiting: Waiting) -> None:
    """Give up what is being prepared or waited for."""
    user_id = message.from_user.id if message.from_user else message.chat.id
    was_waiting = await waiting.clear(message.chat.id, user_id)
    dropped = await turns.cancel(message.chat.id)
    await tidy(bot, message, dropped)
    await message.answer(texts.CANCELLED if dropped.anything or was_waiting else texts.NOTHING_TO_CANCEL)


async def tidy(bot: Bot, message: Message, dropped: Dropped) -> None:
    """Remove queue notes that nobody needs any more."""
    for note in dropped.notes:
        with suppress(TelegramBadRequest):
            await bot.delete_message(message.chat.id, note)
