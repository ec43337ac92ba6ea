"""Bot API methods that put messages into chats or change them. Knows no HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.playground import views
from bot.playground.entities import formatted
from bot.playground.errors import ApiError, bad_request, forbidden
from bot.playground.files import image_size
from bot.playground.html import units
from bot.playground.markup import parse_markup
from bot.playground.params import Params, Upload
from bot.playground.state import BotAccount, Chat, Json, Media, Message, StoredFile

if TYPE_CHECKING:
    from bot.playground.world import World

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


def open_chat(world: World, bot: BotAccount, params: Params) -> Chat:
    """The chat to write to; refuses one whose person has blocked the bot."""
    chat = world.bot_chat(bot, params.chat_id())
    if chat.blocked:
        raise forbidden("bot was blocked by the user")
    return chat


def send_message(world: World, bot: BotAccount, params: Params) -> Json:
    """sendMessage."""
    chat = open_chat(world, bot, params)
    text, entities = _text(world, params)
    return _post(world, bot, chat, params, Message(0, bot.user.id, world.clock(), text, entities))


def send_document(world: World, bot: BotAccount, params: Params) -> Json:
    """sendDocument."""
    chat = open_chat(world, bot, params)
    file = _file(world, params, "document", world.limits.upload_bytes)
    return _post(world, bot, chat, params, _captioned(world, bot, params, Media("document", file.file_id)))


def send_photo(world: World, bot: BotAccount, params: Params) -> Json:
    """sendPhoto, without resizing."""
    chat = open_chat(world, bot, params)
    file = _file(world, params, "photo", world.limits.photo_bytes)
    size = image_size(world.files.read(file))
    if size is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    media = Media("photo", file.file_id, width=size[1], height=size[2])
    return _post(world, bot, chat, params, _captioned(world, bot, params, media))


def edit_message_text(world: World, bot: BotAccount, params: Params) -> Json:
    """editMessageText."""
    chat, message = _own_message(world, bot, params)
    if message.media is not None:
        raise bad_request("there is no text in the message to edit")
    text, entities = _text(world, params)
    keyboard, _ = _markup(world, chat, params)
    return _rewrite(world, bot, chat, message, (text, entities, keyboard))


def edit_message_caption(world: World, bot: BotAccount, params: Params) -> Json:
    """editMessageCaption."""
    chat, message = _own_message(world, bot, params)
    if message.media is None:
        raise bad_request("there is no caption in the message to edit")
    text, entities = _caption(world, params)
    keyboard, _ = _markup(world, chat, params)
    return _rewrite(world, bot, chat, message, (text, entities, keyboard))


def edit_message_reply_markup(world: World, bot: BotAccount, params: Params) -> Json:
    """editMessageReplyMarkup; the message is not marked as edited, as in the app."""
    chat, message = _own_message(world, bot, params)
    keyboard, _ = _markup(world, chat, params)
    if keyboard == message.keyboard:
        raise bad_request(NOT_MODIFIED)
    world.count_message(bot, chat)
    message.keyboard = keyboard
    world.changed(chat, message)
    return views.message(world, chat, message)


def delete_message(world: World, bot: BotAccount, params: Params) -> bool:
    """deleteMessage."""
    chat = world.bot_chat(bot, params.chat_id())
    message = chat.messages.get(params.number("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    others = message.sender != bot.user.id and chat.kind != "private"
    if others and chat.bots.get(bot.user.id) != "administrator":
        raise bad_request("message can't be deleted")
    if world.clock() - message.date > world.limits.delete_seconds:
        raise bad_request("message can't be deleted for everyone")
    del chat.messages[message.id]
    world.emit_chat("deleted", chat, id=message.id)
    return True


def _text(world: World, params: Params) -> tuple[str, list[Json]]:
    text, entities = formatted(params.text("text"), params.text("parse_mode"), params.json("entities"))
    if not text:
        raise bad_request("message text is empty")
    if units(text) > world.limits.text_units:
        raise bad_request("message is too long")
    return text, entities


def _caption(world: World, params: Params) -> tuple[str, list[Json]]:
    text, entities = formatted(params.text("caption"), params.text("parse_mode"), params.json("caption_entities"))
    if units(text) > world.limits.caption_units:
        raise bad_request("message caption is too long")
    return text, entities


def _markup(world: World, chat: Chat, params: Params) -> tuple[list[list[Json]], Json | None]:
    return parse_markup(params.values.get("reply_markup"), world.limits, private=chat.kind == "private")


def _rewrite(
    world: World, bot: BotAccount, chat: Chat, message: Message, new: tuple[str, list[Json], list[list[Json]]]
) -> Json:
    if new == (message.text, message.entities, message.keyboard):
        raise bad_request(NOT_MODIFIED)
    world.count_message(bot, chat)
    message.text, message.entities, message.keyboard = new
    message.edited = world.clock()
    world.changed(chat, message)
    return views.message(world, chat, message)


def _captioned(world: World, bot: BotAccount, params: Params, media: Media) -> Message:
    text, entities = _caption(world, params)
    return Message(0, bot.user.id, world.clock(), text, entities, media)


def _post(world: World, bot: BotAccount, chat: Chat, params: Params, message: Message) -> Json:
    message.keyboard, reply_keyboard = _markup(world, chat, params)
    message.reply_to = _reply_to(chat, params)
    world.count_message(bot, chat)
    world.append(chat, message)
    if reply_keyboard is not None:
        chat.reply_keyboard = None if "remove_keyboard" in reply_keyboard else reply_keyboard
        world.emit_chat("reply_keyboard", chat, keyboard=chat.reply_keyboard)
    return views.message(world, chat, message)


def _reply_to(chat: Chat, params: Params) -> int | None:
    wanted = params.object("reply_parameters")
    number = Params(wanted).number("message_id") or params.number("reply_to_message_id")
    if not number:
        return None
    elsewhere = wanted.get("chat_id") not in (None, chat.id, str(chat.id))
    if number in chat.messages and not elsewhere:
        return number
    if wanted.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def _own_message(world: World, bot: BotAccount, params: Params) -> tuple[Chat, Message]:
    chat = open_chat(world, bot, params)
    number = params.number("message_id")
    if not number:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(number)
    if message is None:
        raise bad_request("message to edit not found")
    if message.sender != bot.user.id:
        raise bad_request("message can't be edited")
    return chat, message


def _file(world: World, params: Params, name: str, limit: int) -> StoredFile:
    given = params.file(name)
    if given is None:
        raise bad_request(f"there is no {name} in the request")
    if isinstance(given, Upload):
        if not given.content:
            raise bad_request("file must be non-empty")
        if len(given.content) > limit:
            raise ApiError(413, "Request Entity Too Large")
        return world.files.add(given.content, given.mime, given.name, f"{name}s")
    known = world.files.known.get(given)
    if known is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return known
