"""Edited messages: the newest is answered again in place, older ones are left."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import is_group, mentioned, words
from bot.catalogue import Catalogue
from bot.crisis import is_crisis
from bot.decisions import EditAction, Said
from bot.drain import Drain
from bot.handlers.chat import mark, talk
from bot.handlers.crisis import edited_card
from bot.limiter import Limiter
from bot.pace import refuse
from bot.settings import BotSettings
from bot.turns import Turns
from storage.database import Database


def router() -> Router:
    """Fresh router."""
    edits = Router(name="edits")
    edits.edited_message.register(edited, F.text & ~F.text.startswith("/"))
    return edits


async def edited(
    message: Message,
    turns: Turns,
    limiter: Limiter,
    settings: BotSettings,
    me: User,
    catalogue: Catalogue,
    drain: Drain,
    database: Database,
) -> None:
    """Hand the new text to the turns, or say why not.

    What was answered stays the bot's business: in a group it is answered again also when its edit takes the mention
    away, because the answer below would no longer fit. A message that was refused (too long, too many at once) is
    answered as a new one, and counts as one, as soon as it fits; so is one in a group whose edit adds the mention that
    was forgotten. All others (of bystanders, of before the bot or of before /forget, personas) are left in peace.
    """
    if message.from_user is None or message.from_user.is_bot:
        return
    state = await turns.state_of(message.chat.id, message.message_id)
    if state is not None and is_crisis(words(message, me)):
        # In a group the edit may have taken the mention away, too.
        await edited_card(message, database, turns)
        return
    if state == "refused" or (state is None and is_group(message) and mentioned(message, me)):
        await talk(message, turns, limiter, settings, me, catalogue, drain)
    elif state is not None:
        await again(message, turns, limiter, settings, me)


async def again(message: Message, turns: Turns, limiter: Limiter, settings: BotSettings, me: User) -> None:
    """Another text of a message that came in before."""
    text = words(message, me)
    if not text or message.from_user is None:
        return
    verdict = await limiter.check(message.from_user.id, mark(message))
    if not verdict.allowed:
        await refuse(message, verdict)
        return
    if len(text) > settings.max_message_chars:
        await message.reply(texts.MESSAGE_TOO_LONG.format(limit=settings.max_message_chars, length=len(text)))
        return
    said = Said(message.chat.id, message.chat.type, message.message_id, message.from_user.id, text)
    if await turns.edited(said) is EditAction.TOO_LATE:
        await message.reply(texts.TOO_LATE_TO_EDIT)
