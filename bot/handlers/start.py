"""/start and the consent question."""

from __future__ import annotations

from aiogram import Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandStart
from aiogram.types import CallbackQuery, Message

from bot import callbacks as c
from bot import keyboards, screen, texts
from bot.addressing import is_group
from bot.pace import OWN_DATA
from bot.turns import Turns
from storage.database import Database
from storage.presets import Presets


def router() -> Router:
    """Fresh router."""
    start = Router(name="start")
    start.message.register(welcome, CommandStart())
    start.message.register(help_, Command("help"))
    start.message.register(privacy, Command("privacy"), flags=OWN_DATA)
    start.callback_query.register(consent, c.Consent.filter(), flags=OWN_DATA)
    return start


async def welcome(message: Message, database: Database, turns: Turns, presets: Presets) -> None:
    """Greet, offer emotions, ask for consent once."""
    private = message.chat.type == ChatType.PRIVATE
    asked = True
    async with database.unit() as unit:
        chat = await turns.chat(unit, message.chat.id, message.chat.type)
        emotion = chat.emotion
        if private and message.from_user:
            person = await unit.people.ensure(message.from_user.id)
            person.blocked = False
            asked = person.consent is not None
        await unit.commit()
    await message.answer(
        texts.WELCOME if private else texts.HELLO_GROUP, reply_markup=keyboards.emotions_around(presets, emotion)
    )
    if not asked:
        await message.answer(texts.CONSENT_QUESTION, reply_markup=keyboards.consent())


async def help_(message: Message) -> None:
    """What the bot can do here."""
    await message.answer(texts.HELP_GROUP if is_group(message) else texts.HELP)


async def privacy(message: Message, database: Database) -> None:
    """What is stored, and the consent to change."""
    if message.chat.type != ChatType.PRIVATE or message.from_user is None:
        await message.answer(texts.PRIVATE_ONLY)
        return
    async with database.view() as unit:
        person = await unit.people.get(message.from_user.id)
    state = texts.CONSENT_STATES[person.consent if person else None]
    await message.answer(texts.PRIVACY.format(consent=state), reply_markup=keyboards.consent())


async def consent(query: CallbackQuery, callback_data: c.Consent, database: Database) -> None:
    """Remember the answer; the question turns into it."""
    if query.message is None or query.message.chat.id != query.from_user.id:
        await screen.say(query, texts.BUTTON_NOT_YOURS, alert=True)
        return
    async with database.unit() as unit:
        await unit.people.consent(query.from_user.id, callback_data.agreed)
        await unit.commit()
    await screen.say(query, texts.NOTED)
    await screen.change(query, texts.CONSENT_YES if callback_data.agreed else texts.CONSENT_NO)
