"""People who block or unblock the bot, groups that add it."""

from __future__ import annotations

from aiogram import Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import ChatMemberUpdated

from bot import texts
from storage.database import Database

OUTSIDE = (ChatMemberStatus.KICKED, ChatMemberStatus.LEFT)


def router() -> Router:
    """Fresh router."""
    membership = Router(name="membership")
    membership.my_chat_member.register(changed)
    return membership


async def changed(event: ChatMemberUpdated, database: Database) -> None:
    """Remember who wants the bot; greet a group that has just added it."""
    outside = event.new_chat_member.status in OUTSIDE
    if event.chat.type == ChatType.PRIVATE:
        async with database.unit() as unit:
            await unit.people.block(event.chat.id, outside)
            await unit.commit()
    elif not outside and event.old_chat_member.status in OUTSIDE:
        await event.answer(texts.HELLO_GROUP)
