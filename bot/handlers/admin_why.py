"""/why: where an answer came from, and the same answer made again. Operators only; what they see goes to them alone."""

from __future__ import annotations

from contextlib import suppress

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot.admin import callbacks as c
from bot.admin import screens, why
from bot.admin import why_texts as texts
from bot.admin.gate import Admin, ByButton, ByMessage
from bot.admin.replays import Repeated, Replays, Unrepeatable
from bot.answers import Answers
from bot.catalogue import Catalogue
from bot.screen import say
from bot.supervision import Supervisor
from storage.database import Database
from storage.direct import NoAnswer
from storage.queue import QueueFull
from storage.tables import ReplyRow


def router() -> Router:
    """Fresh router."""
    answers = Router(name="admin why")
    answers.message.register(show, Command("why"), ByMessage(anywhere=True))
    answers.callback_query.register(replay, ByButton(), c.OfReply.filter(F.act == "replay"))
    return answers


async def meant(message: Message, answers: Answers, database: Database) -> ReplyRow | None:
    """The answer that is replied to, or else the chat's last one."""
    request_id = None
    if message.reply_to_message is not None:
        found = await answers.by_message(message.chat.id, message.reply_to_message.message_id)
        request_id = found.request_id if found else None
    async with database.view() as unit:
        if message.reply_to_message is None:
            request_id = await unit.turns.last_shown(message.chat.id)
        return await unit.replies.get(request_id) if request_id else None


async def show(
    message: Message,
    admin: Admin,
    bot: Bot,
    answers: Answers,
    database: Database,
    catalogue: Catalogue,
    replays: Replays,
) -> None:
    """To the operator alone, also when asked in a group."""
    row = await meant(message, answers, database)
    if row is None:
        await message.reply(texts.WHY_WHAT)
        return
    everything = catalogue.current.model_copy(update={"presets": tuple(catalogue.all)})
    await replays.allow(admin.id, row.request_id)
    try:
        await screens.send(bot, admin.id, why.render(row, everything, admin.id))
    except (TelegramForbiddenError, TelegramBadRequest):
        await message.reply(texts.WHY_WRITE_ME)
        return
    if message.chat.type != ChatType.PRIVATE:
        await message.reply(texts.WHY_IN_PRIVATE)


async def replay(
    query: CallbackQuery,
    callback_data: c.OfReply,
    admin: Admin,
    bot: Bot,
    database: Database,
    replays: Replays,
    supervisor: Supervisor,
) -> None:
    """Begin to make it again; the operator goes on meanwhile."""
    async with database.unit() as unit:
        row = await unit.replies.get(callback_data.request)
        allowed = row is not None and await replays.allowed(admin.id, callback_data.request)
        unit.audit.write(admin.id, "replay", callback_data.request, allowed=allowed)
        await unit.commit()
    if row is None or not allowed:
        await say(query, texts.WHY_GONE, alert=True)
        return
    if not replays.begin(admin.id):
        await say(query, texts.REPLAY_BUSY, alert=True)
        return
    supervisor.spawn("replay", carry_out(bot, admin, replays, row))
    await say(query, texts.REPLAY_BEGUN)


async def carry_out(bot: Bot, admin: Admin, replays: Replays, row: ReplyRow) -> None:
    """Make it, and write what came of it."""
    try:
        screen = await outcome(replays, row)
    finally:
        replays.end(admin.id)
    with suppress(TelegramAPIError):
        await screens.send(bot, admin.id, screen)


async def outcome(replays: Replays, row: ReplyRow) -> screens.Screen:
    """What came of it, in words."""
    try:
        made: Repeated = await replays.repeat(row)
    except Unrepeatable:
        return screens.Screen(screens.plain(texts.WHY_GONE))
    except QueueFull:
        return screens.Screen(screens.plain(texts.REPLAY_FULL))
    except NoAnswer:
        return screens.Screen(screens.plain(texts.REPLAY_NO_WORKER))
    if made.reply.state != "done":
        told = texts.REPLAY_FAILED.format(state=made.reply.state.value, reason=made.reply.reason or "—")
        return screens.Screen(screens.plain(told))
    return why.repeated(made.same, made.reply.text, made.different, made.seconds)
