"""Bot API methods about chats, members, reactions, buttons, files and the bot itself. Knows no HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.playground import views
from bot.playground.errors import bad_request
from bot.playground.params import Params
from bot.playground.sending import open_chat
from bot.playground.state import BotAccount, Chat, Json, User

if TYPE_CHECKING:
    from bot.playground.world import World

ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)
REACTIONS = re.findall(
    r"\S+",
    "👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤\u200d🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 "
    "🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨\u200d💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 "
    "💊 🙊 😎 👾 🤷\u200d♂ 🤷 🤷\u200d♀ 😡",
)
QUERY_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


def get_me(world: World, bot: BotAccount, params: Params) -> Json:
    """getMe."""
    return {
        **views.user(bot.user),
        "can_join_groups": True,
        "can_read_all_group_messages": bot.reads_all,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def send_chat_action(world: World, bot: BotAccount, params: Params) -> bool:
    """sendChatAction; the page shows it for five seconds or until the next message."""
    chat = open_chat(world, bot, params)
    action = params.text("action")
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    world.emit_chat("action", chat, action=action, sender=views.face(bot.user))
    return True


def answer_callback_query(world: World, bot: BotAccount, params: Params) -> bool:
    """answerCallbackQuery; once, and in time."""
    callback = world.runtime[bot.user.id].callbacks.pop(params.text("callback_query_id"), None)
    if callback is None or world.clock() - callback.at > world.limits.callback_seconds:
        raise bad_request(QUERY_TOO_OLD)
    text = params.text("text")
    if len(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    answer = {"id": callback.id, "text": text, "alert": params.flag("show_alert"), "url": params.text("url")}
    world.emit("callback", answer, frozenset([callback.person]))
    return True


def set_message_reaction(world: World, bot: BotAccount, params: Params) -> bool:
    """setMessageReaction; a bot has one reaction."""
    chat = open_chat(world, bot, params)
    message = chat.messages.get(params.number("message_id"))
    if message is None:
        raise bad_request("message to react not found")
    wanted = params.json("reaction") or []
    if not isinstance(wanted, list):
        raise bad_request("can't parse reaction types JSON array")
    emoji = [str(one.get("emoji")) for one in wanted if isinstance(one, dict)]
    if len(emoji) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    if any(one.rstrip("\ufe0f") not in REACTIONS for one in emoji):
        raise bad_request("REACTION_INVALID")
    message.reactions.pop(bot.user.id, None)
    if emoji:
        message.reactions[bot.user.id] = emoji
    world.changed(chat, message)
    return True


def get_chat(world: World, bot: BotAccount, params: Params) -> Json:
    """getChat."""
    chat = world.bot_chat(bot, params.chat_id())
    return {
        **views.chat(world, chat),
        "accent_color_id": abs(chat.id) % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        ),
    }


def standing(chat: Chat, user_id: int) -> str:
    """What someone is in a chat: creator, administrator, member or left."""
    if user_id in chat.bots:
        return chat.bots[user_id]
    if chat.kind == "private":
        return "member" if user_id in (chat.id, chat.bot_id) else "left"
    if user_id == chat.owner:
        return "creator"
    if user_id in chat.admins:
        return "administrator"
    return "member" if user_id in chat.members else "left"


def get_chat_member(world: World, bot: BotAccount, params: Params) -> Json:
    """getChatMember."""
    chat = world.bot_chat(bot, params.chat_id())
    wanted = params.number("user_id")
    known = wanted in world.people or any(wanted == one.user.id for one in world.bots.values())
    if not known:
        raise bad_request("PARTICIPANT_ID_INVALID")
    return views.member(world.user(wanted), standing(chat, wanted))


def get_chat_administrators(world: World, bot: BotAccount, params: Params) -> list[Json]:
    """getChatAdministrators; other bots are left out, as at Telegram."""
    chat = world.bot_chat(bot, params.chat_id())
    if chat.kind == "private":
        raise bad_request("there are no administrators in the private chat")
    everyone: list[User] = [world.user(who) for who in chat.members]
    everyone.append(bot.user)
    ranks = [(who, standing(chat, who.id)) for who in everyone]
    return [views.member(who, rank) for who, rank in ranks if rank in ("creator", "administrator")]


def get_file(world: World, bot: BotAccount, params: Params) -> Json:
    """getFile."""
    file = world.files.known.get(params.text("file_id"))
    if file is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    if file.size > world.limits.download_bytes:
        raise bad_request("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": file.path,
    }


def set_description(world: World, bot: BotAccount, params: Params) -> bool:
    """setMyDescription: what an empty chat shows."""
    text = params.text("description")
    if len(text) > 512:
        raise bad_request("BOT_DESCRIPTION_TOO_LONG")
    bot.description[params.text("language_code")] = text
    world.emit("world", {})
    return True


def set_short_description(world: World, bot: BotAccount, params: Params) -> bool:
    """setMyShortDescription: what the bot's profile shows."""
    text = params.text("short_description")
    if len(text) > 120:
        raise bad_request("BOT_SHORT_DESCRIPTION_TOO_LONG")
    bot.short_description[params.text("language_code")] = text
    world.emit("world", {})
    return True


def get_description(world: World, bot: BotAccount, params: Params) -> Json:
    """getMyDescription."""
    return {"description": by_language(bot.description, params.text("language_code"))}


def get_short_description(world: World, bot: BotAccount, params: Params) -> Json:
    """getMyShortDescription."""
    return {"short_description": by_language(bot.short_description, params.text("language_code"))}


def by_language(texts: dict[str, str], language: str) -> str:
    """The text in a language, or the one for everybody."""
    return texts.get(language) or texts.get("", "")


def yes(world: World, bot: BotAccount, params: Params) -> bool:
    """logOut and close: nothing to leave here."""
    return True
