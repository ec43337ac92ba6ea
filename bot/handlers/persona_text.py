"""The message after «Своя»: a persona in the person's own words."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import words
from bot.decisions import Said
from bot.handlers.settings import set_persona
from bot.settings import BotSettings
from bot.turns import Turns
from bot.waiting import PERSONA, Waiting
from storage.database import Database


def router() -> Router:
    """Fresh router."""
    persona = Router(name="persona")
    persona.message.register(take, F.text & ~F.text.startswith("/"), _expected)
    return persona


async def _expected(message: Message, waiting: Waiting) -> bool:
    user = message.from_user
    return user is not None and await waiting.get(message.chat.id, user.id, message.message_id) == PERSONA


async def take(
    message: Message, database: Database, turns: Turns, settings: BotSettings, waiting: Waiting, me: User
) -> None:
    """Remember it; a persona that is too long may be sent again. Edits of either are no messages."""
    text = " ".join(words(message, me).split())
    if message.from_user is not None:
        said = Said(message.chat.id, message.chat.type, message.message_id, message.from_user.id, "")
        await turns.turn_away(said, "persona")
    if not text:
        await message.reply(texts.PERSONA_EMPTY)
        return
    if len(text) <= settings.max_persona_chars and message.from_user is not None:
        # First: repeated after a kill, this message is still the persona, and no other is.
        await waiting.take(message.chat.id, message.from_user.id, PERSONA, message.message_id)
    await set_persona(message, text, database, turns, settings)
