"""Edited messages: the newest is answered again in place, older ones are left."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import words
from bot.decisions import EditAction, Said
from bot.handlers.chat import refuse
from bot.limiter import Limiter
from bot.settings import BotSettings
from bot.turns import Turns


def router() -> Router:
    """Fresh router."""
    edits = Router(name="edits")
    edits.edited_message.register(edited, F.text & ~F.text.startswith("/"))
    return edits


async def edited(message: Message, turns: Turns, limiter: Limiter, settings: BotSettings, me: User) -> None:
    """Hand the new text to the turns, or say why not."""
    if message.from_user is None or message.from_user.is_bot:
        return
    text = words(message, me)
    if not text:
        return
    if len(text) > settings.max_message_chars:
        await message.reply(texts.MESSAGE_TOO_LONG.format(limit=settings.max_message_chars, length=len(text)))
        return
    stamp = message.edit_date or 0
    verdict = await limiter.check(message.from_user.id, f"{message.chat.id}:{message.message_id}:{stamp}")
    if not verdict.allowed:
        await refuse(message, verdict)
        return
    said = Said(message.chat.id, message.chat.type, message.message_id, message.from_user.id, text)
    if await turns.edited(said) is EditAction.TOO_LATE:
        await message.reply(texts.TOO_LATE_TO_EDIT)
