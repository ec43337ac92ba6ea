"""/admin: the panel; and whoever tries an operator's button or command without being one."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot import texts as people_texts
from bot.addressing import addressed
from bot.admin import callbacks as c
from bot.admin import panel, screens, texts
from bot.admin.gate import Admin, ByButton, ByMessage, note_refusal, refusal
from bot.admin.job_watch import JobWatch
from bot.commands import introduce_to_admin
from bot.limiter import Limiter
from bot.screen import say
from bot.settings import BotSettings
from storage.conversation import Conversation
from storage.database import Database
from storage.loop_board import LoopBoard
from storage.presets import Presets

NAMES = tuple(name for name, _ in texts.COMMANDS if name != "stats")


def router() -> Router:
    """Fresh router."""
    admin = Router(name="admin")
    admin.callback_query.register(refused, F.data.startswith(c.MARK), ~ByButton())
    admin.message.register(show, Command("admin"), ByMessage())
    admin.callback_query.register(again, ByButton(), c.Open.filter(F.view == "panel"))
    return admin


def strangers() -> Router:
    """Fresh router; comes after all of the operators' handlers."""
    left = Router(name="admin strangers")
    left.message.register(not_here, Command(*NAMES), ByMessage(anywhere=True))
    left.message.register(unknown, Command(*NAMES), addressed)
    left.callback_query.register(malformed, ByButton())
    return left


async def refused(query: CallbackQuery, settings: BotSettings, database: Database, limiter: Limiter) -> None:
    """As if there were no such button; the attempt is kept."""
    why = refusal(query, settings.admins) or "changed_meanwhile"
    kind = (query.data or "").split(":")[0][:8]
    await note_refusal(database, limiter, query.from_user.id, f"cb-{query.id}", f"button {kind}", why)
    await say(query, people_texts.BUTTON_UNKNOWN, alert=True)


async def malformed(query: CallbackQuery, admin: Admin, database: Database, limiter: Limiter) -> None:
    """An operator's own button that says nothing we know: forged, or of another release."""
    kind = (query.data or "").split(":")[0][:8]
    await note_refusal(database, limiter, admin.id, f"cb-{query.id}", f"button {kind}", "malformed")
    await say(query, people_texts.BUTTON_UNKNOWN, alert=True)


async def not_here(message: Message) -> None:
    """An operator's command in a group."""
    await message.reply(texts.PRIVATE_ONLY)


async def unknown(message: Message, database: Database, limiter: Limiter) -> None:
    """For everybody else there is no such command; the attempt is kept."""
    if message.from_user is not None:
        name = (message.text or message.caption or "").split()[0].split("@")[0][:24]
        mark = f"{message.chat.id}:{message.message_id}"
        await note_refusal(database, limiter, message.from_user.id, mark, f"command {name}", "not_admin")
    await message.reply(people_texts.UNKNOWN_COMMAND)


async def show(
    message: Message,
    admin: Admin,
    bot: Bot,
    database: Database,
    conversation: Conversation,
    board: LoopBoard,
    presets: Presets,
    settings: BotSettings,
) -> None:
    """The panel as a new message; from now on the operator's menu has the commands."""
    found = await panel.look(database, conversation, board)
    await screens.send(bot, message.chat.id, panel.render(found, presets, admin.id, settings.dashboard_url))
    await introduce_to_admin(bot, admin.id)


async def again(
    query: CallbackQuery,
    admin: Admin,
    database: Database,
    conversation: Conversation,
    board: LoopBoard,
    presets: Presets,
    job_watch: JobWatch,
    settings: BotSettings,
) -> None:
    """The panel in the place of what was there."""
    if query.message is not None:
        await job_watch.leave(admin.id, query.message.message_id)
    found = await panel.look(database, conversation, board)
    await say(query, "")
    await screens.replace(query, panel.render(found, presets, admin.id, settings.dashboard_url))
