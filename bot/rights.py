"""Who may change a chat's settings: everybody in private, in a group its administrators."""

from __future__ import annotations

from aiogram import Bot
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import CallbackQuery, Chat, Message

ADMINS = (ChatMemberStatus.CREATOR, ChatMemberStatus.ADMINISTRATOR)


async def may_set(bot: Bot, event: Message | CallbackQuery) -> bool:
    """Whether the sender may; asks Telegram every time, because administrators change."""
    message = event if isinstance(event, Message) else event.message
    if message is None or event.from_user is None:
        return False
    if message.chat.type == ChatType.PRIVATE:
        return True
    if isinstance(event, Message) and _anonymous(event, message.chat):
        return True
    member = await bot.get_chat_member(message.chat.id, event.from_user.id)
    return member.status in ADMINS


def _anonymous(message: Message, chat: Chat) -> bool:
    """An administrator who writes as the group itself."""
    return message.sender_chat is not None and message.sender_chat.id == chat.id
