"""aiogram itself, by polling and by webhook, against the playground: every answer must parse."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramConflictError
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeChat,
    BufferedInputFile,
    ChatMemberOwner,
    ReplyParameters,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from bot.playground.person import PNG, Person
from tests.playground.conftest import echo_dispatcher


async def test_a_conversation_by_polling(echo: Bot, anna: Person) -> None:
    hello = await anna.ask("/start")
    assert (hello.text, hello.raw["entities"]) == ("Привет, друг!", [{"type": "bold", "offset": 8, "length": 4}])
    question = await anna.send("как дела?")
    await anna.typing()
    answer = await anna.next_message()
    assert answer.text == "эхо: как дела?"
    assert answer.reply_to == question.id
    assert answer.buttons == [["Да", "Нет"]]

    toast = await anna.press(answer, "Да")
    assert (toast.text, toast.alert) == ("Готово", False)
    changed = await anna.next_change(answer)
    assert (changed.text, changed.buttons, changed.edited) == ("нажато b:Да", [["Ещё"]], True)

    await anna.edit(question, "как дела сегодня?")
    assert (await anna.next_message()).text == "исправлено: как дела сегодня?"
    await anna.react(answer, "🔥")
    loved = await anna.until(answer, lambda m: len(m.reactions) == 2)
    assert sorted(loved.reactions) == ["❤", "🔥"]


async def test_what_is_not_text_arrives_too(echo: Bot, anna: Person) -> None:
    await anna.send_photo()
    await anna.send_sticker("😎")
    await anna.send_voice()
    await anna.send_document(b"text")
    answers = {(await anna.next_message()).text for _ in range(4)}
    assert answers == {"вид: photo", "вид: sticker", "вид: voice", "вид: document"}


async def test_an_unblocked_bot_learns_of_it(echo: Bot, anna: Person) -> None:
    await anna.ask("/start")
    await anna.block()
    await anna.block(False)
    assert (await anna.next_message()).text == "снова вместе"


async def test_every_method_answers_what_aiogram_understands(api: Bot, anna: Person) -> None:
    await anna.send("/start")
    me = await api.get_me()
    assert (me.id, me.username, me.is_bot) == (4242, "echo_bot", True)
    group = await anna.group("Друзья")

    commands = [BotCommand(command="help", description="Помощь")]
    assert await api.set_my_commands(commands)
    assert [(one.command, one.description) for one in await api.get_my_commands()] == [("help", "Помощь")]
    scope = BotCommandScopeChat(chat_id=anna.id)
    await api.set_my_commands([BotCommand(command="stats", description="Числа")], scope=scope, language_code="ru")
    await api.set_my_commands([BotCommand(command="all", description="Всем")], scope=BotCommandScopeAllGroupChats())
    assert (await anna.menu(), await anna.menu(group)) == (["stats"], ["all"])
    await api.delete_my_commands(scope=scope, language_code="ru")
    assert await anna.menu() == ["help"]

    assert (await api.get_chat(anna.id)).first_name == "Аня"
    owner = await api.get_chat_member(group, anna.id)
    assert isinstance(owner, ChatMemberOwner)
    assert {one.user.id for one in await api.get_chat_administrators(group)} == {anna.id, 4242}
    assert await api.set_my_description("Говорю с чувством")
    assert await api.set_my_short_description("Бот")
    assert (await api.get_my_description()).description == "Говорю с чувством"
    assert (await api.get_webhook_info()).url == ""

    photo = await api.send_photo(anna.id, BufferedInputFile(PNG, "dot.png"), caption="<i>точка</i>", parse_mode="HTML")
    assert photo.photo is not None
    assert (photo.photo[0].width, photo.caption) == (1, "точка")
    again = await api.send_photo(anna.id, photo.photo[0].file_id)
    assert await api.delete_message(anna.id, again.message_id)
    assert [one.id for one in await anna.history()][-1] == photo.message_id
    assert await api.log_out()


async def test_a_file_comes_back_byte_for_byte(api: Bot, anna: Person) -> None:
    await anna.send("/start")
    content = "данные".encode() * 1000
    sent = await api.send_document(anna.id, BufferedInputFile(content, "данные.json"))
    assert sent.document is not None
    assert sent.document.file_name == "данные.json"
    got = await api.download(sent.document.file_id)
    assert got is not None
    assert got.read() == content


async def test_quotes_and_deleted_messages(api: Bot, anna: Person) -> None:
    said = await anna.send("раз")
    reply = await api.send_message(anna.id, "два", reply_parameters=ReplyParameters(message_id=said.id))
    assert reply.reply_to_message is not None
    assert reply.reply_to_message.text == "раз"
    await anna.delete(said)
    lenient = ReplyParameters(message_id=said.id, allow_sending_without_reply=True)
    assert (await api.send_message(anna.id, "три", reply_parameters=lenient)).reply_to_message is None


async def test_updates_stay_until_a_later_offset_confirms_them(api: Bot, anna: Person) -> None:
    for text in ("раз", "два", "три"):
        await anna.send(text)
    first = await api.get_updates(limit=2)
    assert [u.message.text for u in first if u.message] == ["раз", "два"]
    assert await api.get_updates(limit=2) == first
    rest = await api.get_updates(offset=first[-1].update_id + 1)
    assert [u.message.text for u in rest if u.message] == ["три"]
    assert await api.get_updates(offset=rest[-1].update_id + 1) == []


async def test_a_long_poll_ends_with_the_message(api: Bot, anna: Person) -> None:
    waiting = asyncio.create_task(api.get_updates(timeout=20))
    await asyncio.sleep(0.05)
    await anna.send("наконец")
    (update,) = await asyncio.wait_for(waiting, 5)
    assert update.message is not None
    assert update.message.text == "наконец"


async def test_the_older_of_two_pollers_is_thrown_out(api: Bot, anna: Person) -> None:
    older = asyncio.create_task(api.get_updates(timeout=20))
    await asyncio.sleep(0.05)
    newer = asyncio.create_task(api.get_updates(timeout=20))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await older
    await anna.send("привет")
    assert len(await newer) == 1


async def test_reactions_come_only_when_asked_for(api: Bot, anna: Person) -> None:
    said = await anna.send("раз")
    await anna.react(said, "👍")
    assert [u.event_type for u in await api.get_updates()] == ["message"]
    await api.get_updates(allowed_updates=["message_reaction"])
    await anna.react(said, "👎")
    update = (await api.get_updates())[-1]
    assert update.message_reaction is not None
    changes = update.message_reaction.model_dump(include={"old_reaction", "new_reaction"})
    assert [one["emoji"] for one in changes["old_reaction"] + changes["new_reaction"]] == ["👍", "👎"]


class Hook:
    """A bot behind a webhook that can be told to refuse."""

    def __init__(self, api: Bot, secret: str, background: bool) -> None:
        self.refuse = 0
        self.app = web.Application(middlewares=[self._refuse])
        dispatcher = echo_dispatcher()
        SimpleRequestHandler(dispatcher, api, background, secret).register(self.app, "/hook")

    @property
    def _refuse(self) -> Any:
        @web.middleware
        async def refuse(request: web.Request, handler: Any) -> Any:
            if self.refuse:
                self.refuse -= 1
                raise web.HTTPServiceUnavailable()
            return await handler(request)

        return refuse


@pytest.mark.parametrize("background", [True, False])
async def test_a_conversation_by_webhook(api: Bot, anna: Person, background: bool) -> None:
    hook = Hook(api, "s3cret", background)
    hook.refuse = 2
    runner = web.AppRunner(hook.app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    await anna.send("раз")
    await api.set_webhook(f"http://127.0.0.1:{port}/hook", secret_token="s3cret")
    with pytest.raises(TelegramConflictError, match="webhook is active"):
        await api.get_updates()
    await anna.send("два")
    assert {(await anna.next_message()).text for _ in range(2)} == {"эхо: раз", "эхо: два"}
    info = await api.get_webhook_info()
    assert "503" in str(info.last_error_message)
    assert info.pending_update_count == 0
    await api.delete_webhook()
    await runner.cleanup()


async def test_a_webhook_gets_its_secret(api: Bot, anna: Person) -> None:
    seen: list[str | None] = []
    arrived = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        arrived.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await api.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/", secret_token="right")
    await anna.send("раз")
    await asyncio.wait_for(arrived.wait(), 5)
    assert seen == ["right"]
    await runner.cleanup()
