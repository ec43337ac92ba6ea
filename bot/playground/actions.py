"""What people do in chats: write, edit, press, react, block. Knows no HTTP; refuses what the app would not offer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.playground import views
from bot.playground.chatting import REACTIONS
from bot.playground.entities import detect
from bot.playground.errors import PersonError
from bot.playground.files import image_size
from bot.playground.html import units
from bot.playground.state import BotAccount, Chat, Json, Media, Message
from bot.playground.world import Callback, World

MAX_REACTIONS = 3
STICKER_SIDE = 512


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a person sends; `kind` says as what."""

    kind: str
    content: bytes
    name: str
    mime: str
    emoji: str = ""
    duration: int = 0


def say(world: World, person: int, peer: int, text: str, reply_to: int | None = None) -> Message:
    """Send a text."""
    text = text.strip()
    if not text:
        raise PersonError("Сообщение пустое")
    if units(text) > world.limits.text_units:
        raise PersonError("Сообщение слишком длинное")
    chat = _writable(world, person, peer)
    message = Message(0, person, world.clock(), text, detect(text))
    return _deliver(world, chat, message, reply_to)


def attach(world: World, person: int, peer: int, what: Attachment, caption: str = "") -> Message:
    """Send a photo, a sticker, a voice message or a document."""
    if not what.content or len(what.content) > world.limits.download_bytes:
        raise PersonError("Файл пустой или слишком большой", 413)
    chat = _writable(world, person, peer)
    mime = what.mime
    media = Media("document", "", duration=what.duration)
    if what.kind == "photo":
        size = image_size(what.content)
        if size is None:
            raise PersonError("Это не изображение")
        mime = size[0]
        media = Media("photo", "", width=size[1], height=size[2])
    elif what.kind == "sticker":
        media = Media("sticker", "", width=STICKER_SIDE, height=STICKER_SIDE, emoji=what.emoji)
    elif what.kind == "voice":
        media = Media("voice", "", duration=what.duration)
    media.file_id = world.files.add(what.content, mime, what.name, f"{what.kind}s").file_id
    caption = caption.strip()
    if units(caption) > world.limits.caption_units:
        raise PersonError(f"Подпись слишком длинная: в неё помещается {world.limits.caption_units} символов")
    return _deliver(world, chat, Message(0, person, world.clock(), caption, detect(caption), media), None)


def edit(world: World, person: int, peer: int, message_id: int, text: str) -> Message:
    """Edit one's own message, or the words under one's own photo or file."""
    chat = _writable(world, person, peer)
    message = _message(chat, message_id)
    text = text.strip()
    if message.sender != person:
        raise PersonError("Это не ваше сообщение", 403)
    captioned = message.media is not None and message.media.kind in ("photo", "document")
    if message.media is not None and not captioned:
        raise PersonError("Это сообщение не изменить")
    most = world.limits.caption_units if captioned else world.limits.text_units
    if not (text or captioned) or units(text) > most:
        raise PersonError("Текст пустой или слишком длинный")
    if text == message.text:
        return message
    message.text, message.entities, message.edited = text, detect(text), world.clock()
    world.changed(chat, message)
    for bot in world.bots_in(chat):
        if reads(world, bot, chat, message):
            world.push(bot, "edited_message", views.message(world, chat, message))
    return message


def delete(world: World, person: int, peer: int, message_id: int) -> None:
    """Delete one's own message, or any in a private chat; bots are not told."""
    chat = world.peer_chat(person, peer)
    message = _message(chat, message_id)
    if message.sender != person and chat.kind != "private":
        raise PersonError("Это не ваше сообщение", 403)
    del chat.messages[message_id]
    world.emit_chat("deleted", chat, id=message_id)


def press(world: World, person: int, peer: int, message_id: int, data: str) -> Callback:
    """Press a callback button. `data` is not checked against the keyboard: people forge it, servers pass it on."""
    chat = world.peer_chat(person, peer)
    message = _message(chat, message_id)
    bot = world.bot(message.sender)
    if not data or len(data.encode()) > world.limits.callback_bytes:
        raise PersonError("Недопустимые данные кнопки")
    callback = world.open_callback(bot, chat, person)
    world.push(
        bot,
        "callback_query",
        {
            "id": callback.id,
            "from": views.user(world.user(person)),
            "message": views.message(world, chat, message),
            "chat_instance": str(abs(chat.id) * 7919 + bot.user.id),
            "data": data,
        },
    )
    return callback


def react(world: World, person: int, peer: int, message_id: int, emoji: list[str]) -> Message:
    """Replace one's reactions to a message."""
    chat = world.peer_chat(person, peer)
    message = _message(chat, message_id)
    if len(emoji) > MAX_REACTIONS or any(one not in REACTIONS for one in emoji):
        raise PersonError("Такой реакции нет")
    old = message.reactions.pop(person, [])
    if emoji:
        message.reactions[person] = list(emoji)
    if old == emoji:
        return message
    world.changed(chat, message)
    for bot in world.bots_in(chat):
        if chat.kind == "private" or chat.bots.get(bot.user.id) == "administrator":
            world.push(bot, "message_reaction", _reaction(world, chat, message, person, old, emoji))
    return message


def _reaction(world: World, chat: Chat, message: Message, person: int, old: list[str], new: list[str]) -> Json:
    return {
        "chat": views.chat(world, chat),
        "message_id": message.id,
        "user": views.user(world.user(person)),
        "date": int(world.clock()),
        "old_reaction": views.reactions(old),
        "new_reaction": views.reactions(new),
    }


def block(world: World, person: int, bot_id: int, blocked: bool) -> None:
    """Block a bot or unblock it."""
    if bot_id < 0:
        raise PersonError("Заблокировать можно только бота")
    chat = world.peer_chat(person, bot_id)
    if chat.blocked == blocked:
        return
    chat.blocked = blocked
    old, new = ("member", "kicked") if blocked else ("kicked", "member")
    world.push_membership(world.bot(bot_id), chat, world.user(person), old, new)
    world.emit_chat("blocked", chat, blocked=blocked)


def membership(world: World, group_id: int, person: int, bot_id: int, status: str) -> None:
    """Put a bot into a group as `member` or `administrator`, or throw it out (`kicked`)."""
    if status not in ("member", "administrator", "kicked"):
        raise PersonError("Нет такой роли")
    chat = world.peer_chat(person, group_id)
    bot = world.bot(bot_id)
    old = chat.bots.get(bot_id, "left")
    chat.bots[bot_id] = status
    if old != status:
        world.push_membership(bot, chat, world.user(person), old, status)
        world.emit("world", {})


def reads(world: World, bot: BotAccount, chat: Chat, message: Message) -> bool:
    """Whether a bot gets a group's message: admins and bots without privacy mode read all."""
    if chat.kind == "private" or bot.reads_all or chat.bots.get(bot.user.id) == "administrator":
        return True
    quoted = chat.messages.get(message.reply_to or 0)
    if quoted is not None and quoted.sender == bot.user.id:
        return True
    name = re.escape(bot.user.username)
    if re.search(rf"@{name}\b", message.text, re.IGNORECASE):
        return True
    return bool(re.match(r"/\w+(?!@)\b(?!@)", message.text))


def _writable(world: World, person: int, peer: int) -> Chat:
    chat = world.peer_chat(person, peer)
    if chat.blocked:
        raise PersonError("Бот заблокирован: сначала разблокируйте", 403)
    return chat


def _message(chat: Chat, message_id: int) -> Message:
    message = chat.messages.get(message_id)
    if message is None:
        raise PersonError("Такого сообщения нет", 404)
    return message


def _deliver(world: World, chat: Chat, message: Message, reply_to: int | None) -> Message:
    if reply_to is not None:
        message.reply_to = _message(chat, reply_to).id
    chat.started = True
    world.append(chat, message)
    if chat.reply_keyboard and chat.reply_keyboard.get("one_time_keyboard"):
        chat.reply_keyboard = None
        world.emit_chat("reply_keyboard", chat, keyboard=None)
    for bot in world.bots_in(chat):
        if reads(world, bot, chat, message):
            world.push(bot, "message", views.message(world, chat, message))
    return message
