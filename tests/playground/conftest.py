"""A playground, an echo bot on aiogram and people, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from aiogram import Bot, Dispatcher, F
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ContentType, ParseMode
from aiogram.filters import CommandStart
from aiogram.types import (
    CallbackQuery,
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    MessageReactionUpdated,
    ReactionTypeEmoji,
)

from bot.playground.app import serve
from bot.playground.limits import Limits
from bot.playground.person import Person
from bot.playground.world import World

TOKEN = "4242:secret"


@pytest.fixture
def world() -> World:
    """One bot, nobody else, no flood limits."""
    world = World(limits=Limits.none())
    world.add_bot(TOKEN, "echo_bot", "Эхо")
    return world


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    """The world, served."""
    async with serve("127.0.0.1:0", world) as url:
        yield url


@pytest.fixture
async def api(url: str) -> AsyncIterator[Bot]:
    """The bot's own client."""
    bot = connect(url)
    yield bot
    await bot.session.close()


@pytest.fixture
async def anna(url: str) -> AsyncIterator[Person]:
    """A person."""
    async with Person.join(url, "Аня") as person:
        yield person


@pytest.fixture
async def echo(api: Bot) -> AsyncIterator[Bot]:
    """The echo bot, polling."""
    async with polling(api):
        yield api


def connect(url: str, token: str = TOKEN) -> Bot:
    """An aiogram client of the playground."""
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    """One row of callback buttons."""
    row = [InlineKeyboardButton(text=label, callback_data=f"b:{label}") for label in labels]
    return InlineKeyboardMarkup(inline_keyboard=[row])


def echo_dispatcher() -> Dispatcher:
    """Echoes texts with buttons; buttons edit; edits and reactions are reported."""
    dispatcher = Dispatcher()

    @dispatcher.message(CommandStart())
    async def start(message: Message) -> None:
        await message.answer("Привет, <b>друг</b>!", parse_mode=ParseMode.HTML)

    @dispatcher.message(F.text)
    async def text(message: Message) -> None:
        assert message.bot is not None
        await message.bot.send_chat_action(message.chat.id, "typing")
        await message.reply(f"эхо: {message.text}", reply_markup=keyboard("Да", "Нет"))

    @dispatcher.message()
    async def other(message: Message) -> None:
        await message.answer("вид: " + str(ContentType(message.content_type).value))

    @dispatcher.callback_query()
    async def pressed(query: CallbackQuery) -> None:
        assert isinstance(query.message, Message)
        await query.message.edit_text(f"нажато {query.data}", reply_markup=keyboard("Ещё"))
        await query.answer("Готово", show_alert=query.data == "b:Нет")

    @dispatcher.edited_message()
    async def edited(message: Message) -> None:
        await message.answer(f"исправлено: {message.text}")

    @dispatcher.message_reaction()
    async def reacted(event: MessageReactionUpdated) -> None:
        assert event.bot is not None
        await event.bot.set_message_reaction(event.chat.id, event.message_id, [ReactionTypeEmoji(emoji="❤")])

    @dispatcher.my_chat_member()
    async def moved(event: ChatMemberUpdated) -> None:
        if event.new_chat_member.status == "member" and event.chat.type == "private":
            await event.answer("снова вместе")

    return dispatcher


@asynccontextmanager
async def polling(bot: Bot, dispatcher: Dispatcher | None = None) -> AsyncIterator[None]:
    """Run a dispatcher by long polling."""
    dispatcher = dispatcher or echo_dispatcher()
    used = dispatcher.resolve_used_update_types()
    task = asyncio.create_task(
        dispatcher.start_polling(
            bot, handle_signals=False, close_bot_session=False, allowed_updates=used, polling_timeout=5
        )
    )
    try:
        yield
    finally:
        with suppress(RuntimeError):
            await dispatcher.stop_polling()
        await task
