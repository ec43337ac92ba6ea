"""How users, chats and messages look in Bot API JSON and on people's screens. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.playground.state import BotAccount, Chat, Json, Media, Message, User

if TYPE_CHECKING:
    from bot.playground.world import World

RIGHTS = [
    "can_be_edited",
    "is_anonymous",
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
    "can_pin_messages",
    "can_manage_topics",
]
GRANTED = frozenset({"can_manage_chat", "can_delete_messages", "can_invite_users", "can_pin_messages"})


def user(who: User) -> Json:
    """A Bot API `User`."""
    data: Json = {"id": who.id, "is_bot": who.is_bot, "first_name": who.first_name}
    for name in ("last_name", "username"):
        if getattr(who, name):
            data[name] = getattr(who, name)
    if not who.is_bot and who.language_code:
        data["language_code"] = who.language_code
    return data


def chat(world: World, where: Chat) -> Json:
    """A Bot API `Chat`."""
    if where.kind != "private":
        return {"id": where.id, "type": where.kind, "title": where.title}
    person = user(world.user(where.id))
    kept: Json = {key: person[key] for key in ("first_name", "last_name", "username") if key in person}
    return {"id": where.id, "type": "private", **kept}


def member(who: User, status: str) -> Json:
    """A Bot API `ChatMember` of one of its kinds."""
    data: Json = {"user": user(who), "status": status}
    if status == "creator":
        data["is_anonymous"] = False
    elif status == "administrator":
        data.update({right: right in GRANTED for right in RIGHTS})
    elif status == "kicked":
        data["until_date"] = 0
    return data


def media(world: World, attached: Media) -> Json:
    """The field of a Bot API `Message` that carries the attachment."""
    file = world.files.known[attached.file_id]
    base: Json = {"file_id": file.file_id, "file_unique_id": file.unique_id, "file_size": file.size}
    if attached.kind == "photo":
        return {"photo": [{**base, "width": attached.width, "height": attached.height}]}
    if attached.kind == "sticker":
        size = {"width": attached.width, "height": attached.height, "emoji": attached.emoji}
        return {"sticker": {**base, **size, "type": "regular", "is_animated": False, "is_video": False}}
    if attached.kind == "voice":
        return {"voice": {**base, "duration": attached.duration, "mime_type": file.mime}}
    return {"document": {**base, "file_name": file.name, "mime_type": file.mime}}


def message(world: World, where: Chat, what: Message, *, nested: bool = False) -> Json:
    """A Bot API `Message`; the quoted one is included one level deep, as Telegram does."""
    data: Json = {
        "message_id": what.id,
        "from": user(world.user(what.sender)),
        "chat": chat(world, where),
        "date": int(what.date),
    }
    if what.edited is not None:
        data["edit_date"] = int(what.edited)
    if what.media is not None:
        data.update(media(world, what.media))
    if what.text:
        data["text" if what.media is None else "caption"] = what.text
    if what.entities:
        data["entities" if what.media is None else "caption_entities"] = what.entities
    if what.keyboard:
        data["reply_markup"] = {"inline_keyboard": what.keyboard}
    quoted = where.messages.get(what.reply_to) if what.reply_to is not None and not nested else None
    if quoted is not None:
        data["reply_to_message"] = message(world, where, quoted, nested=True)
    return data


def reactions(emoji: list[str]) -> list[Json]:
    """Bot API `ReactionType`s."""
    return [{"type": "emoji", "emoji": one} for one in emoji]


def webhook_info(bot: BotAccount) -> Json:
    """A Bot API `WebhookInfo`."""
    hook = bot.webhook
    info: Json = {
        "url": hook.url if hook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates),
    }
    if hook is not None:
        info["max_connections"] = hook.max_connections
        if hook.error_date:
            info.update(last_error_date=hook.error_date, last_error_message=hook.error)
    if bot.allowed:
        info["allowed_updates"] = bot.allowed
    return info


def seen(world: World, where: Chat, what: Message) -> Json:
    """A message as a person's screen gets it."""
    sender = world.user(what.sender)
    data: Json = {
        "id": what.id,
        "sender": face(sender),
        "date": what.date,
        "edited": what.edited,
        "text": what.text,
        "entities": what.entities,
        "keyboard": what.keyboard,
        "reactions": [{"person": who, "emoji": emoji} for who, all_ in what.reactions.items() for emoji in all_],
    }
    if what.media is not None:
        file = world.files.known[what.media.file_id]
        data["media"] = {
            "kind": what.media.kind,
            "file_id": file.file_id,
            "name": file.name,
            "size": file.size,
            "mime": file.mime,
            "width": what.media.width,
            "height": what.media.height,
            "duration": what.media.duration,
            "emoji": what.media.emoji,
        }
    if what.reply_to is not None:
        data["reply_to"] = _quote(world, where, what.reply_to)
    return data


def _quote(world: World, where: Chat, message_id: int) -> Json:
    quoted = where.messages.get(message_id)
    if quoted is None:
        return {"id": message_id, "name": "", "text": "", "kind": "gone"}
    kind = quoted.media.kind if quoted.media else "text"
    return {"id": message_id, "name": world.user(quoted.sender).name, "text": quoted.text[:120], "kind": kind}


def face(who: User) -> dict[str, Any]:
    """Someone as the page shows them."""
    return {"id": who.id, "name": who.name, "username": who.username, "is_bot": who.is_bot}
