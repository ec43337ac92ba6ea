"""/reset and /cancel."""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.types import Message

from bot import texts
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
    await turns.cancel(message.chat.id, new_epoch=True)
    await message.answer(texts.RESET_DONE)


async def cancel(message: Message, turns: Turns, waiting: Waiting) -> None:
    """Give up what is being prepared or waited for."""
    user_id = message.from_user.id if message.from_user else message.chat.id
    was_waiting = await waiting.clear(message.chat.id, user_id)
    dropped = await turns.cancel(message.chat.id)
    await message.answer(texts.CANCELLED if dropped or was_waiting else texts.NOTHING_TO_CANCEL)
