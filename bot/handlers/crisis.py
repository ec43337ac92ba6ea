"""Messages of people in danger: a card with telephone numbers, at once. They never reach queue or training."""

from __future__ import annotations

from typing import Any

import structlog
from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import addressed, words
from bot.crisis import is_crisis
from bot.turns import Turns
from bot.waiting import Waiting
from storage.database import Database

log = structlog.get_logger(__name__)


def router() -> Router:
    """Fresh router; it must be the first."""
    crisis = Router(name="crisis")
    crisis.message.register(card, F.text | F.caption, in_danger)
    crisis.edited_message.register(edited_card, F.text | F.caption, in_danger)
    return crisis


def in_danger(message: Message, **data: Any) -> bool:
    """Whether a message to the bot sounds like suicide or self-harm."""
    me: User = data["me"]
    return addressed(message, me) and is_crisis(words(message, me))


async def card(message: Message, database: Database, waiting: Waiting) -> None:
    """Help first; then, as the last thing, remember only that there was such a message, without its text."""
    user_id = sender(message)
    async with database.view() as unit:
        if await unit.inbox.get(message.chat.id, message.message_id) is not None:
            return
    await message.reply(texts.CRISIS)
    await waiting.clear(message.chat.id, user_id)
    async with database.unit() as unit:
        await unit.inbox.add(message.chat.id, message.message_id, user_id, "", state="crisis")
        await unit.commit()
    log.info("crisis card shown")


async def edited_card(message: Message, turns: Turns) -> None:
    """The same for an edit. The turn with the message ends and leaves the dialogue first, whether the card arrives or
    not; a message withdrawn before gets its card all the same, since a process may have died in between."""
    dropped = await turns.withdraw(message.chat.id, message.message_id, sender(message))
    try:
        await message.reply(texts.CRISIS)
    finally:
        await turns.go_on(message.chat.id, dropped)


def sender(message: Message) -> int:
    """Who wrote it; a chat that writes in its own name is its own person."""
    return message.from_user.id if message.from_user else message.chat.id
