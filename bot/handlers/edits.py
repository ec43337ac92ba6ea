"""Edited messages: the newest is answered again in place, older ones are left."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import Message, User

from bot import texts
from bot.addressing import is_group, mentioned, words
from bot.albums import Albums
from bot.catalogue import Catalogue
from bot.crisis import is_crisis
from bot.decisions import EditAction, Said
from bot.drain import Drain
from bot.handlers.chat import mark, talk
from bot.handlers.crisis import edited_card
from bot.limiter import Limiter
from bot.pace import refuse
from bot.refusals import Refusals
from bot.settings import BotSettings
from bot.turns import Turns
from storage.database import Database

# Seconds in which a mention that was forgotten may be added.
SECOND_THOUGHT = 3600


def router() -> Router:
    """Fresh router."""
    edits = Router(name="edits")
    edits.edited_message.register(edited, (F.text & ~F.text.startswith("/")) | (F.caption & ~F.caption.startswith("/")))
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
    refusals: Refusals,
    albums: Albums,
) -> None:
    """Hand the new text to the turns, or say why not.

    What was answered stays the bot's business: in a group it is answered again also when its edit takes the mention
    away, because the answer below would no longer fit. A message that was refused (too long, too many at once) is
    answered as a new one, and counts as one, as soon as it fits; so is one in a group whose edit, within the hour, adds
    the mention that was forgotten. All others (of bystanders, of long before the bot or of before /forget, personas)
    are left in peace.
    """
    if message.from_user is None or message.from_user.is_bot:
        return
    chat_id, user_id = message.chat.id, message.from_user.id
    state = await turns.state_of(chat_id, message.message_id)
    if state is None and await refusals.knows(chat_id, user_id, message.message_id):
        state = "refused"
    if state is not None and is_crisis(words(message, me)):
        # In a group the edit may have taken the mention away, too.
        await edited_card(message, turns)
        return
    if state == "refused" or (state is None and _mention_added(message, me)):
        if not await _forgotten(database, message, user_id):
            await talk(message, turns, limiter, settings, me, catalogue, drain, refusals, albums)
    elif state not in (None, "persona"):
        await again(message, turns, limiter, settings, me)


def _mention_added(message: Message, me: User) -> bool:
    age = (message.edit_date or 0) - message.date.timestamp()
    return is_group(message) and mentioned(message, me) and age <= SECOND_THOUGHT


async def _forgotten(database: Database, message: Message, user_id: int) -> bool:
    async with database.view() as unit:
        at = await unit.people.forgotten_at(user_id)
    return at is not None and message.date <= at


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
