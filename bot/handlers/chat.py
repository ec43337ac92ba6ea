"""Ordinary messages: from Telegram into the inbox. The answer comes later, from `delivery.py`."""

from __future__ import annotations

import math

from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import addressed, words
from bot.catalogue import Catalogue
from bot.decisions import Said
from bot.drain import Drain
from bot.limiter import Limiter, Verdict
from bot.settings import BotSettings
from bot.turns import Turns
from bot.wording import lasting


def router() -> Router:
    """Fresh router."""
    chat = Router(name="chat")
    chat.message.register(talk, F.text, addressed)
    return chat


async def talk(
    message: Message,
    turns: Turns,
    limiter: Limiter,
    settings: BotSettings,
    me: User,
    catalogue: Catalogue,
    drain: Drain,
) -> None:
    """Store the message and queue a turn, or say why not."""
    if message.from_user is None or message.from_user.is_bot:
        return
    text = words(message, me)
    if not text:
        await message.reply(texts.EMPTY)
        return
    if len(text) > settings.max_message_chars:
        await message.reply(texts.MESSAGE_TOO_LONG.format(limit=settings.max_message_chars, length=len(text)))
        return
    verdict = await limiter.check(message.from_user.id, f"{message.chat.id}:{message.message_id}")
    if not verdict.allowed:
        await refuse(message, verdict)
        return
    said = Said(message.chat.id, message.chat.type, message.message_id, message.from_user.id, text)
    gone = await turns.receive(said)
    if gone is not None:
        was, now_is = catalogue.get(gone), catalogue.fallback(settings.default_emotion)
        await message.answer(texts.EMOTION_FALLEN_BACK.format(was=was.title if was else gone, now=now_is.title))
        await turns.fall_back(message.chat.id, gone)
    left = await drain.news_for(message.chat.id)
    if left is not None:
        await message.answer(texts.DRAINING.format(left=lasting(left)))
        await drain.was_told(message.chat.id)


async def refuse(message: Message, verdict: Verdict) -> None:
    """Tell a person in a hurry to wait, once per window."""
    if not verdict.told:
        await message.reply(texts.TOO_OFTEN.format(seconds=max(1, math.ceil(verdict.wait))))
