"""/audit: what operators did, and what others tried."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot.admin import audit_view, screens
from bot.admin import callbacks as c
from bot.admin.gate import Admin, ByButton, ByMessage
from bot.admin.job_watch import JobWatch
from bot.screen import say
from storage.database import Database
from storage.loop_tables import AuditRow


def router() -> Router:
    """Fresh router."""
    audit = Router(name="admin audit")
    audit.message.register(show, Command("audit"), ByMessage())
    audit.callback_query.register(turn, ByButton(), c.Open.filter(F.view == "audit"))
    return audit


async def read(database: Database, page: int) -> list[AuditRow]:
    """A page, and one row more if there is one."""
    async with database.view() as unit:
        rows = await unit.audit.last((page + 1) * audit_view.PAGE + 1)
    return list(rows)[page * audit_view.PAGE :]


async def show(message: Message, admin: Admin, bot: Bot, database: Database) -> None:
    """The newest page as a new message."""
    await screens.send(bot, message.chat.id, audit_view.render(await read(database, 0), 0, admin.id))


async def turn(
    query: CallbackQuery, callback_data: c.Open, admin: Admin, database: Database, job_watch: JobWatch
) -> None:
    """A page in the place of what was there."""
    if query.message is not None:
        await job_watch.leave(admin.id, query.message.message_id)
    page = callback_data.page
    await say(query, "")
    await screens.replace(query, audit_view.render(await read(database, page), page, admin.id))
