"""Ordinary messages, words under pictures among them: from Telegram into the inbox. `delivery.py` answers later."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import addressed, words
from bot.albums import Albums
from bot.catalogue import Catalogue
from bot.decisions import Said
from bot.drain import Drain
from bot.limiter import Limiter
from bot.pace import refuse
from bot.refusals import Refusals
from bot.settings import BotSettings
from bot.turns import Turns
from bot.wording import lasting


def router() -> Router:
    """Fresh router."""
    chat = Router(name="chat")
    chat.message.register(talk, F.text | F.caption, addressed)
    return chat


async def talk(
    message: Message,
    turns: Turns,
    limiter: Limiter,
    settings: BotSettings,
    me: User,
    catalogue: Catalogue,
    drain: Drain,
    refusals: Refusals,
    albums: Albums,
) -> None:
    """Store the message and queue a turn, or say why not."""
    if message.from_user is None or message.from_user.is_bot:
        return
    said = Said(message.chat.id, message.chat.type, message.message_id, message.from_user.id, words(message, me))
    verdict = await limiter.check(said.user_id, mark(message))
    if not verdict.allowed:
        await refusals.add(said.chat_id, said.user_id, said.message_id)
        await refuse(message, verdict)
        return
    if not said.text:
        await message.reply(texts.EMPTY)
        return
    if len(said.text) > settings.max_message_chars:
        await turns.turn_away(said)
        await message.reply(texts.MESSAGE_TOO_LONG.format(limit=settings.max_message_chars, length=len(said.text)))
        return
    gone = await turns.receive(said)
    if message.caption and not message.edit_date and albums.speaks(message):
        await message.reply(texts.CAPTION)
    if gone is not None:
        was, now_is = catalogue.get(gone), catalogue.fallback(settings.default_emotion)
        await message.answer(texts.EMOTION_FALLEN_BACK.format(was=was.title if was else gone, now=now_is.title))
        await turns.fall_back(message.chat.id, gone)
    left = await drain.news_for(message.chat.id)
    if left is not None:
        await message.answer(texts.DRAINING.format(left=lasting(left)))
        await drain.was_told(message.chat.id)


def mark(message: Message) -> str:
    """Under what a message is counted once, and each edit of it once more."""
    return ":".join(map(str, filter(None, (message.chat.id, message.message_id, message.edit_date))))
