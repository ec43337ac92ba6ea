"""Whether a message in a group is meant for the bot, and what it says without the bot's name. Pure."""

from __future__ import annotations

import re

from aiogram.enums import ChatType, MessageEntityType
from aiogram.types import Message, User


def is_group(message: Message) -> bool:
    """Whether several people talk here."""
    return message.chat.type in (ChatType.GROUP, ChatType.SUPERGROUP)


def addressed(message: Message, me: User) -> bool:
    """In private always; in a group when the bot is mentioned or one of its messages is replied to."""
    if message.chat.type == ChatType.PRIVATE:
        return True
    if not is_group(message):
        return False
    reply = message.reply_to_message
    if reply is not None and reply.from_user is not None and reply.from_user.id == me.id:
        return True
    return mentioned(message, me)


def mentioned(message: Message, me: User) -> bool:
    """Whether a message names the bot."""
    return any(_names(message, entity, me) for entity in message.entities or message.caption_entities or [])


def _names(message: Message, entity: object, me: User) -> bool:
    kind = getattr(entity, "type", None)
    if kind == MessageEntityType.TEXT_MENTION:
        user = getattr(entity, "user", None)
        return user is not None and user.id == me.id
    if kind != MessageEntityType.MENTION or not me.username:
        return False
    named = entity.extract_from(message.text or message.caption or "")  # type: ignore[attr-defined]
    return str(named).casefold() == f"@{me.username}".casefold()


def words(message: Message, me: User) -> str:
    """The message's text without the bot's name."""
    text = message.text or message.caption or ""
    if me.username:
        text = re.sub(rf"@{re.escape(me.username)}\b[,:]?", " ", text, flags=re.IGNORECASE)
    return "\n".join(" ".join(line.split(" ")) for line in text.splitlines()).strip()
