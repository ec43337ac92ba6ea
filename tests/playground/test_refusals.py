"""What Telegram refuses is refused here, in its words."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    ReactionTypeEmoji,
    ReplyParameters,
    WebAppInfo,
)

from bot.playground.limits import Limits
from bot.playground.person import Person, Refused
from bot.playground.world import World
from tests.playground.conftest import connect, keyboard


@pytest.fixture
async def chat(anna: Person) -> int:
    """A chat in which the bot may write."""
    await anna.send("/start")
    return anna.id


def one_button(**action: Any) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="да", **action)]])


SENDS: list[tuple[dict[str, Any], str]] = [
    ({"text": "  \n "}, "message text is empty"),
    ({"text": "<b> </b>", "parse_mode": "HTML"}, "message text is empty"),
    ({"text": "я" * 4097}, "message is too long"),
    ({"text": "😀" * 2049}, "message is too long"),
    ({"text": "1 < 2", "parse_mode": "HTML"}, 'Unsupported start tag ""'),
    ({"text": "<b>раз", "parse_mode": "HTML"}, 'Can\'t find end tag corresponding to start tag "b"'),
    ({"text": "раз!", "parse_mode": "MarkdownV2"}, "Character '!' is reserved"),
    ({"text": "*раз", "parse_mode": "MarkdownV2"}, "Can't find end of Bold entity at byte offset 0"),
    ({"text": "раз", "parse_mode": "BBCode"}, "unsupported parse_mode"),
    ({"text": "раз", "reply_parameters": ReplyParameters(message_id=999)}, "message to be replied not found"),
    ({"text": "раз", "reply_markup": one_button(callback_data="я" * 33)}, "BUTTON_DATA_INVALID"),
    ({"text": "раз", "reply_markup": one_button()}, "Text buttons are unallowed in the inline keyboard"),
    ({"text": "раз", "reply_markup": one_button(url="почта")}, "Wrong HTTP URL"),
    ({"text": "раз", "reply_markup": one_button(web_app=WebAppInfo(url="http://a.example/"))}, "Only HTTPS links"),
]


@pytest.mark.parametrize(("message", "refusal"), SENDS)
async def test_a_message_that_is_refused_is_not_in_the_chat(
    api: Bot, anna: Person, chat: int, message: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(TelegramBadRequest) as refused:
        await api.send_message(chat, **message)
    assert refusal in refused.value.message
    assert [one.text for one in await anna.history()] == ["/start"]


async def test_the_longest_message_passes(api: Bot, chat: int) -> None:
    sent = await api.send_message(chat, "<b>" + "😀" * 2048 + "</b>", parse_mode="HTML")
    assert sent.entities is not None
    assert sent.entities[0].length == 4096
    await api.send_message(chat, "раз", reply_markup=one_button(callback_data="я" * 32))


async def test_edits(api: Bot, anna: Person, chat: int) -> None:
    mine = await api.send_message(chat, "раз", reply_markup=keyboard("да"))
    theirs = await anna.send("два")

    async def refused(number: int, text: str, **more: Any) -> str:
        with pytest.raises(TelegramBadRequest) as error:
            await api.edit_message_text(text, chat_id=chat, message_id=number, **more)
        return error.value.message

    assert "message is not modified" in await refused(mine.message_id, "раз", reply_markup=keyboard("да"))
    assert "message to edit not found" in await refused(999, "раз")
    assert "message can't be edited" in await refused(theirs.id, "раз")
    assert "message is too long" in await refused(mine.message_id, "я" * 5000)
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await api.edit_message_reply_markup(chat_id=chat, message_id=mine.message_id, reply_markup=keyboard("да"))
    await api.edit_message_text("раз", chat_id=chat, message_id=mine.message_id)
    assert (await anna.history())[1].buttons == []


async def test_deleting(api: Bot, anna: Person, chat: int, world: World) -> None:
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await api.delete_message(chat, 999)
    group = await anna.group("Друзья")
    said = await anna.send("раз", chat=group)
    world.chats[0, group].bots[api.id] = "member"
    with pytest.raises(TelegramBadRequest, match="message can't be deleted"):
        await api.delete_message(group, said.id)
    sent = await api.send_message(chat, "раз")
    now = world.clock()
    world.clock = lambda: now + 49 * 3600
    with pytest.raises(TelegramBadRequest, match="can't be deleted for everyone"):
        await api.delete_message(chat, sent.message_id)


async def test_chats_that_are_not_there(api: Bot, anna: Person) -> None:
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await api.send_message(12345, "раз")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await api.send_message(anna.id, "раз")
    await anna.group("Друзья")
    with pytest.raises(TelegramForbiddenError, match="bot can't initiate conversation with a user"):
        await api.send_message(anna.id, "раз")


async def test_a_blocked_or_thrown_out_bot_may_not_write(api: Bot, anna: Person, chat: int, world: World) -> None:
    await anna.block()
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await api.send_message(chat, "раз")
    with pytest.raises(Refused, match="разблокируйте"):
        await anna.send("ты тут?")
    group = await anna.group("Друзья")
    world.chats[0, group].bots[api.id] = "kicked"
    with pytest.raises(TelegramForbiddenError, match="bot was kicked from the supergroup chat"):
        await api.send_message(group, "раз")


async def test_a_wrong_token_and_an_unknown_method(url: str, api: Bot) -> None:
    stranger = connect(url, "1:wrong")
    with pytest.raises(TelegramUnauthorizedError, match="Unauthorized"):
        await stranger.get_me()
    await stranger.session.close()
    async with aiohttp.ClientSession() as session, session.get(f"{url}/bot{api.token}/makeCoffee") as answer:
        assert answer.status == 404
        assert await answer.json() == {"ok": False, "error_code": 404, "description": "Not Found: method not found"}


async def test_buttons_are_answered_once_and_in_time(api: Bot, anna: Person, chat: int, world: World) -> None:
    await api.send_message(chat, "раз", reply_markup=keyboard("да"))
    shown = await anna.next_message()
    await anna.press_only(shown, "b:да")
    query = (await api.get_updates())[-1].callback_query
    assert query is not None
    assert (query.data, query.from_user.id) == ("b:да", anna.id)
    assert await api.answer_callback_query(query.id)
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await api.answer_callback_query(query.id)
    await anna.press_only(shown, "b:да")
    late = (await api.get_updates())[-1].callback_query
    assert late is not None
    now = world.clock()
    world.clock = lambda: now + world.limits.callback_seconds + 1
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await api.answer_callback_query(late.id)


async def test_commands_reactions_actions_and_files(api: Bot, chat: int, anna: Person) -> None:
    said = await anna.send("раз")
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await api.set_my_commands([BotCommand(command="Помощь", description="Помощь")])
    with pytest.raises(TelegramBadRequest, match="REACTION_INVALID"):
        await api.set_message_reaction(chat, said.id, [ReactionTypeEmoji(emoji="🥦")])
    with pytest.raises(TelegramBadRequest, match="message to react not found"):
        await api.set_message_reaction(chat, 999, [ReactionTypeEmoji(emoji="👍")])
    with pytest.raises(TelegramBadRequest, match="wrong parameter action"):
        await api.send_chat_action(chat, "dancing")
    with pytest.raises(TelegramBadRequest, match="wrong file_id"):
        await api.get_file("nothing")
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await api.send_photo(chat, BufferedInputFile(b"text", "a.png"))
    with pytest.raises(TelegramBadRequest, match="no administrators in the private chat"):
        await api.get_chat_administrators(chat)
    with pytest.raises(TelegramBadRequest, match="unallowed characters"):
        await api.set_webhook("http://127.0.0.1:1/", secret_token="not allowed")


async def test_files_over_the_limits(api: Bot, chat: int, world: World) -> None:
    world.limits = Limits(upload_bytes=1000, download_bytes=100)
    with pytest.raises(TelegramAPIError, match="Too Large"):
        await api.send_document(chat, BufferedInputFile(b"x" * 1001, "big.txt"))
    sent = await api.send_document(chat, BufferedInputFile(b"x" * 500, "some.txt"))
    assert sent.document is not None
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await api.get_file(sent.document.file_id)


async def test_flood_says_when_to_come_back(api: Bot, chat: int, world: World) -> None:
    now = [1_000_000.0]
    world.clock = lambda: now[0]
    world.limits = Limits(chat_burst=3)
    for _ in range(3):
        await api.send_message(chat, "раз")
    with pytest.raises(TelegramRetryAfter) as refused:
        await api.send_message(chat, "раз")
    assert refused.value.retry_after == 1
    now[0] += refused.value.retry_after
    await api.send_message(chat, "раз")


async def test_planned_failures(api: Bot, anna: Person, chat: int, world: World) -> None:
    world.fail_next("sendMessage", 502)
    with pytest.raises(TelegramAPIError, match="Bad Gateway"):
        await api.send_message(chat, "не дойдёт")
    world.fail_next("sendMessage", retry_after=7)
    with pytest.raises(TelegramRetryAfter, match="7"):
        await api.send_message(chat, "не дойдёт")
    world.fail_next("sendMessage", accepted=True, drop=True)
    with pytest.raises(TelegramNetworkError):
        await api.send_message(chat, "дойдёт")
    world.fail_next("sendMessage", delay=0.05, accepted=True)
    assert (await api.send_message(chat, "дойдёт тоже")).text == "дойдёт тоже"
    assert [one.text for one in await anna.history()][1:] == ["дойдёт", "дойдёт тоже"]


async def test_people_may_not_do_what_the_app_does_not_offer(api: Bot, anna: Person, chat: int) -> None:
    sent = await api.send_message(chat, "раз")
    (_, shown) = await anna.history()
    assert shown.id == sent.message_id
    for attempt, why in (
        (anna.edit(shown, "два"), "не ваше"),
        (anna.send(" "), "пустое"),
        (anna.send("я" * 4097), "длинное"),
        (anna.react(shown, "🥦"), "реакции нет"),
        (anna.press_only(shown, "я" * 40), "кнопки"),
        (anna.send_photo(b"not a picture"), "не изображение"),
    ):
        with pytest.raises(Refused, match=why):
            await asyncio.wait_for(attempt, 5)


async def test_a_mini_app_opens_from_private_chats_only(api: Bot, anna: Person, chat: int) -> None:
    button = one_button(web_app=WebAppInfo(url="https://pages.example/dashboard/"))
    sent = await api.send_message(chat, "раз", reply_markup=button)
    assert sent.reply_markup is not None and sent.reply_markup.inline_keyboard[0][0].web_app is not None
    group = await anna.group("Все")
    with pytest.raises(TelegramBadRequest, match="BUTTON_TYPE_INVALID"):
        await api.send_message(group, "раз", reply_markup=button)
