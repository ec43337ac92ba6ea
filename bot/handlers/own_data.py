"""/export and /forget: what a person may do with what is stored of them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command
from aiogram.types import BufferedInputFile, CallbackQuery, Message

from bot import callbacks as c
from bot import keyboards, texts
from bot.forgetting import erase
from bot.pace import OWN_DATA
from bot.screen import change, say
from bot.turns import Turns
from storage.database import Database, Unit
from storage.ratings import RatingBook
from storage.tables import Row

WORDLESS = ("refused", "persona")
PRIVATE = F.chat.type == ChatType.PRIVATE


def router() -> Router:
    """Fresh router."""
    data = Router(name="own data")
    data.message.register(export, Command("export"), PRIVATE, flags=OWN_DATA)
    data.message.register(forget, Command("forget"), PRIVATE, flags=OWN_DATA)
    data.message.register(private_only, Command("export", "forget"))
    data.callback_query.register(confirmed, c.Forget.filter(), flags=OWN_DATA)
    return data


async def private_only(message: Message) -> None:
    """Not in front of others."""
    await message.reply(texts.PRIVATE_ONLY)


def as_dict(row: Row, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """A row as JSON values."""
    values = {
        column.name: getattr(row, column.name) for column in row.__table__.columns if column.name not in leave_out
    }
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


async def collect(unit: Unit, user_id: int) -> dict[str, Any]:
    """Everything about a person."""
    person = await unit.people.get(user_id)
    chat = await unit.chats.get(user_id)
    return {
        "person": as_dict(person) if person else None,
        "chat": as_dict(chat) if chat else None,
        "messages": [as_dict(row, ("id",)) for row in await unit.inbox.of_user(user_id) if row.state not in WORDLESS],
        "replies": [as_dict(row, ("request",)) for row in await unit.replies.of_user(user_id)],
        "ratings": [as_dict(row, ("id",)) for row in await unit.ratings.of_user(user_id)],
        "rating_history": [as_dict(row) for row in await unit.ratings.history_of_user(user_id)],
    }


async def export(message: Message, database: Database) -> None:
    """Everything as one JSON file."""
    async with database.view() as unit:
        data = await collect(unit, message.chat.id)
    document = BufferedInputFile(json.dumps(data, ensure_ascii=False, indent=1).encode(), "otklik.json")
    await message.answer_document(document, caption=texts.EXPORT_CAPTION)


async def forget(message: Message) -> None:
    """Ask first."""
    await message.answer(texts.FORGET_QUESTION, reply_markup=keyboards.forget(message.chat.id))


async def confirmed(
    query: CallbackQuery, callback_data: c.Forget, database: Database, book: RatingBook, turns: Turns
) -> None:
    """Delete everything, or nothing."""
    user_id = query.from_user.id
    if callback_data.user != user_id or query.message is None or query.message.chat.id != user_id:
        await say(query, texts.BUTTON_NOT_YOURS, alert=True)
        return
    if not callback_data.sure:
        await say(query, "")
        await change(query, texts.FORGET_KEPT)
        return
    await turns.cancel(user_id)
    await erase(user_id, database, book)
    await say(query, texts.NOTED)
    await change(query, texts.FORGET_DONE)
