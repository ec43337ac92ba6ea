"""People who block or unblock the bot, groups that add it."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import ChatMemberUpdated, Message

from bot import texts
from storage.database import Database

OUTSIDE = (ChatMemberStatus.KICKED, ChatMemberStatus.LEFT)


def router() -> Router:
    """Fresh router."""
    membership = Router(name="membership")
    membership.my_chat_member.register(changed)
    membership.message.register(migrated, F.migrate_to_chat_id)
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


async def migrated(message: Message, database: Database) -> None:
    """A group became a supergroup and has a new id: its settings move along."""
    if message.migrate_to_chat_id is None:
        return
    async with database.unit() as unit:
        old = await unit.chats.get(message.chat.id)
        if old is not None:
            new = await unit.chats.ensure(
                message.migrate_to_chat_id, kind="supergroup", emotion=old.emotion, intensity=old.intensity
            )
            new.persona = old.persona
            await unit.commit()
