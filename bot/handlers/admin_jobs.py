"""Operators order, watch and cancel a refit."""

from __future__ import annotations

from aiogram import F, Router
from aiogram.types import CallbackQuery, Message

from bot.admin import callbacks as c
from bot.admin import card, job_view, retrain, screens, texts
from bot.admin.deeds import DECIDABLE, Deeds, Outcome
from bot.admin.gate import Admin, ByButton
from bot.admin.job_watch import JobWatch
from bot.admin.names import slot_words, stage
from bot.keyboards import button, rows
from bot.screen import say
from storage.contracts import now
from storage.database import Database
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.presets import Presets
from storage.ratings import RatingBook
from storage.repositories.slots import SHARED

Order = c.Order


def router() -> Router:
    """Fresh router."""
    jobs = Router(name="admin jobs")
    jobs.callback_query.register(overview, ByButton(), c.Open.filter(F.view == "retrain"))
    jobs.callback_query.register(choose_slot, ByButton(), Order.filter(F.step == "slot"))
    jobs.callback_query.register(confirm, ByButton(), Order.filter(F.step == "sure"))
    jobs.callback_query.register(start, ByButton(), Order.filter((F.step == "go") & F.nonce))
    jobs.callback_query.register(show, ByButton(), c.OfJob.filter(F.act == "show"))
    jobs.callback_query.register(cancel, ByButton(), c.OfJob.filter(F.act == "cancel"))
    jobs.callback_query.register(decide, ByButton(), c.OfJob.filter(F.act.in_({"promote", "reject"})))
    jobs.callback_query.register(decide, ByButton(), c.OfJob.filter((F.act == "canary") & (F.share > 0)))
    return jobs


async def overview(query: CallbackQuery, admin: Admin, board: LoopBoard, book: RatingBook, job_watch: JobWatch) -> None:
    """What there is to learn from, and the methods."""
    if query.message is not None:
        await job_watch.leave(admin.id, query.message.message_id)
    screen = retrain.overview(await board.summary(), await book.stream.silence(), admin.id, now())
    await say(query, "")
    await screens.replace(query, screen)


async def choose_slot(query: CallbackQuery, callback_data: Order, admin: Admin, presets: Presets) -> None:
    """Whose answers."""
    if callback_data.method not in texts.METHODS:
        await say(query, texts.BUTTON_OLD, alert=True)
        return
    await say(query, "")
    await screens.replace(query, retrain.slots(callback_data.method, presets, admin.id))


def known(order: Order, presets: Presets) -> bool:
    """Whether method and slot are there."""
    slots = {SHARED, *(preset.id for preset in presets.presets)}
    return order.method in texts.METHODS and order.slot in slots


async def confirm(query: CallbackQuery, callback_data: Order, admin: Admin, presets: Presets) -> None:
    """The last question."""
    if not known(callback_data, presets):
        await say(query, texts.BUTTON_OLD, alert=True)
        return
    await say(query, "")
    await screens.replace(query, retrain.confirmation(callback_data, presets, admin.id))


async def start(
    query: CallbackQuery,
    callback_data: Order,
    admin: Admin,
    deeds: Deeds,
    board: LoopBoard,
    presets: Presets,
    job_watch: JobWatch,
) -> None:
    """Queue the job; the message shows it from now on."""
    if not known(callback_data, presets):
        await say(query, texts.BUTTON_OLD, alert=True)
        return
    job_id = retrain.job_id(callback_data)
    job = await deeds.order(admin.id, job_id, callback_data.method, callback_data.slot)
    if job.job_id == job_id:
        await say(query, texts.JOB_STARTED)
    else:
        told = texts.ALREADY_OPEN.format(**slot_words(job.slot, presets), stage=stage(job))
        await say(query, told, alert=True)
    await follow(query, job, board, presets, job_watch)


async def follow(query: CallbackQuery, job: JobRow, board: LoopBoard, presets: Presets, job_watch: JobWatch) -> None:
    """Show a job in the button's message, and keep it current."""
    if query.message is None:
        return
    chat_id = query.message.chat.id
    await job_watch.leave(chat_id, query.message.message_id)
    event = await board.event(job.job_id)
    await screens.replace(query, job_view.render(job, event, presets, chat_id))
    await job_watch.watch(chat_id, query.message.message_id, job.job_id)


async def find(database: Database, short: str) -> JobRow | None:
    """The job that a button means."""
    async with database.view() as unit:
        found = [job for job in await unit.jobs.last(500) if c.ref(job.job_id) == short]
    return found[0] if len(found) == 1 else None


async def show(
    query: CallbackQuery,
    callback_data: c.OfJob,
    database: Database,
    board: LoopBoard,
    presets: Presets,
    job_watch: JobWatch,
) -> None:
    """A job, kept current; any operator may look."""
    job = await find(database, callback_data.job)
    if job is None:
        await say(query, texts.NO_JOB, alert=True)
        return
    await say(query, "")
    await redraw(query, job, board, presets, job_watch)


async def cancel(
    query: CallbackQuery,
    callback_data: c.OfJob,
    admin: Admin,
    database: Database,
    board: LoopBoard,
    presets: Presets,
    job_watch: JobWatch,
    deeds: Deeds,
) -> None:
    """Ask, then cancel."""
    job = await find(database, callback_data.job)
    if job is None or query.message is None:
        await say(query, texts.NO_JOB, alert=True)
        return
    if not callback_data.sure:
        await job_watch.leave(admin.id, query.message.message_id)
        yes = callback_data.model_copy(update={"sure": True})
        back = callback_data.model_copy(update={"act": "show"})
        keyboard = rows([button(texts.CANCEL_SURE, yes)], [button(texts.NO, back)])
        await say(query, "")
        await screens.replace(query, screens.Screen(screens.plain(texts.CANCEL_QUESTION), keyboard))
        return
    outcome = await deeds.cancel(admin.id, job.job_id)
    told = texts.CANCELLED_TOAST if outcome.done else texts.TOO_LATE.format(stage=stage(outcome.job or job))
    await say(query, told, alert=not outcome.done)
    await follow(query, outcome.job or job, board, presets, job_watch)


async def decide(
    query: CallbackQuery,
    callback_data: c.OfJob,
    admin: Admin,
    database: Database,
    board: LoopBoard,
    presets: Presets,
    job_watch: JobWatch,
    deeds: Deeds,
) -> None:
    """«В канарейку», «В бой», «Отклонить»: ask, then do; whoever comes second is told what is now."""
    job = await find(database, callback_data.job)
    if job is None or job.adapter_id is None or query.message is None:
        await say(query, texts.NO_JOB, alert=True)
        return
    if job.state not in DECIDABLE:
        await say(query, texts.TOO_LATE.format(stage=stage(job)), alert=True)
        await redraw(query, job, board, presets, job_watch)
        return
    if not callback_data.sure:
        await job_watch.leave(admin.id, query.message.message_id)
        await say(query, "")
        await screens.replace(query, card.question(job, callback_data, presets))
        return
    outcome = await act(deeds, admin, job, job.adapter_id, callback_data)
    now_is = outcome.job or job
    told = texts.DONE if outcome.done else outcome.why or texts.OVERTAKEN.format(stage=stage(now_is))
    await say(query, told, alert=not outcome.done)
    await redraw(query, now_is, board, presets, job_watch)


async def act(deeds: Deeds, admin: Admin, job: JobRow, adapter: str, data: c.OfJob) -> Outcome:
    """The confirmed deed."""
    if data.act == "promote":
        return await deeds.promote(admin.id, adapter, job.slot, job_id=job.job_id)
    if data.act == "canary":
        return await deeds.canary(admin.id, adapter, job.slot, data.share, job_id=job.job_id)
    return await deeds.reject(admin.id, adapter, job.job_id)


async def redraw(query: CallbackQuery, job: JobRow, board: LoopBoard, presets: Presets, job_watch: JobWatch) -> None:
    """The job as it is now, in the button's message: the card under a picture, else the message that follows it."""
    if isinstance(query.message, Message) and query.message.photo:
        await screens.replace(query, card.render(job, presets, query.message.chat.id))
    else:
        await follow(query, job, board, presets, job_watch)
