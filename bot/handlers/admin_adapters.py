"""/adapters: the history, an adapter's card, and changing who answers: live, canary, back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from sqlalchemy import select

from bot.admin import adapter_texts, adapters_view, screens, texts
from bot.admin import callbacks as c
from bot.admin.deeds import Deeds, Outcome
from bot.admin.gate import Admin, ByButton, ByMessage
from bot.admin.job_watch import JobWatch
from bot.screen import say
from storage.database import Database
from storage.loop_tables import AdapterRow, SlotChangeRow, SlotRow
from storage.presets import Presets
from storage.repositories.slots import SHARED

OfAdapter = c.OfAdapter


@dataclass(frozen=True, slots=True)
class Shelf:
    """Adapters, newest first; slots that are in use; the newest changes first."""

    adapters: Sequence[AdapterRow]
    slots: Sequence[SlotRow]
    changes: Sequence[SlotChangeRow]

    def find(self, short: str) -> AdapterRow | None:
        """The adapter that a button means."""
        found = [row for row in self.adapters if c.ref(row.adapter_id) == short]
        return found[0] if len(found) == 1 else None

    def slot(self, name: str) -> SlotRow | None:
        """A slot in use."""
        return next((slot for slot in self.slots if slot.name == name), None)


async def look(database: Database) -> Shelf:
    """Read it."""
    async with database.view() as unit:
        adapters = await unit.adapters.all()
        slots = [slot for slot in await unit.slots.all() if slot.revision > 0]
        changes = await unit.session.scalars(select(SlotChangeRow).order_by(SlotChangeRow.id.desc()).limit(500))
        return Shelf(adapters, slots, changes.all())


def router() -> Router:
    """Fresh router."""
    adapters = Router(name="admin adapters")
    adapters.message.register(show, Command("adapters"), ByMessage())
    adapters.callback_query.register(turn, ByButton(), c.Open.filter(F.view == "adapters"))
    adapters.callback_query.register(one, ByButton(), OfAdapter.filter(F.act == "card"))
    adapters.callback_query.register(choose, ByButton(), OfAdapter.filter(F.act.in_({"slot", "pick"})))
    adapters.callback_query.register(share, ByButton(), OfAdapter.filter((F.act == "try") & (F.share == 0)))
    adapters.callback_query.register(ask, ByButton(), OfAdapter.filter(~F.sure))
    adapters.callback_query.register(act, ByButton(), OfAdapter.filter(F.sure & (F.revision >= 0)))
    return adapters


def pages(shelf: Shelf, number: int, presets: Presets, admin: int) -> screens.Screen:
    """A page; the last one where there is no such page any more."""
    size, total = adapters_view.PAGE, len(shelf.adapters)
    number = min(number, max(0, (total - 1) // size))
    found = shelf.adapters[number * size : (number + 1) * size]
    return adapters_view.page(found, number, total, shelf.slots, shelf.changes, presets, admin)


async def show(message: Message, admin: Admin, bot: Bot, database: Database, presets: Presets) -> None:
    """The newest page as a new message."""
    await screens.send(bot, message.chat.id, pages(await look(database), 0, presets, admin.id))


async def turn(
    query: CallbackQuery,
    callback_data: c.Open,
    admin: Admin,
    database: Database,
    presets: Presets,
    job_watch: JobWatch,
) -> None:
    """A page in the place of what was there."""
    if query.message is not None:
        await job_watch.leave(admin.id, query.message.message_id)
    await say(query, "")
    await screens.replace(query, pages(await look(database), callback_data.page, presets, admin.id))


async def meant(query: CallbackQuery, data: OfAdapter, shelf: Shelf, presets: Presets) -> tuple[str | None, bool]:
    """The adapter's id (None: the worker's own), and whether adapter and slot are there; an alert if not."""
    row = shelf.find(data.adapter)
    known = data.slot == SHARED or any(preset.id == data.slot for preset in presets.presets) or shelf.slot(data.slot)
    if (row is None and data.adapter != adapters_view.NONE) or not known:
        await say(query, adapter_texts.NO_ADAPTER, alert=True)
        return None, False
    return row.adapter_id if row else None, True


async def one(
    query: CallbackQuery, callback_data: OfAdapter, admin: Admin, database: Database, presets: Presets
) -> None:
    """The card."""
    shelf = await look(database)
    _, there = await meant(query, callback_data, shelf, presets)
    if there:
        row = shelf.find(callback_data.adapter)
        await say(query, "")
        await screens.replace(query, adapters_view.one(row, shelf.slots, shelf.changes, presets, admin.id))


async def choose(
    query: CallbackQuery, callback_data: OfAdapter, admin: Admin, database: Database, presets: Presets
) -> None:
    """Whose answers."""
    adapter, there = await meant(query, callback_data, await look(database), presets)
    if there:
        then = "live" if callback_data.act == "slot" else "try"
        await say(query, "")
        await screens.replace(query, adapters_view.choose_slot(adapter, then, presets, admin.id))


async def share(
    query: CallbackQuery, callback_data: OfAdapter, admin: Admin, database: Database, presets: Presets
) -> None:
    """How many dialogues."""
    adapter, there = await meant(query, callback_data, await look(database), presets)
    if there and adapter is not None:
        await say(query, "")
        await screens.replace(query, adapters_view.choose_share(adapter, callback_data.slot, presets, admin.id))


async def ask(
    query: CallbackQuery, callback_data: OfAdapter, admin: Admin, database: Database, presets: Presets
) -> None:
    """«Are you sure»."""
    shelf = await look(database)
    adapter, there = await meant(query, callback_data, shelf, presets)
    if there:
        slot = shelf.slot(callback_data.slot)
        await say(query, "")
        await screens.replace(query, adapters_view.question(callback_data, adapter, slot, presets, admin.id))


async def act(
    query: CallbackQuery, callback_data: OfAdapter, admin: Admin, database: Database, presets: Presets, deeds: Deeds
) -> None:
    """The confirmed deed, then the card as it is now."""
    shelf = await look(database)
    adapter, there = await meant(query, callback_data, shelf, presets)
    if not there:
        return
    outcome = await carry_out(deeds, admin, adapter, callback_data)
    await say(query, texts.DONE if outcome.done else outcome.why or texts.OVERTAKEN_SLOT, alert=not outcome.done)
    shelf = await look(database)
    row = shelf.find(callback_data.adapter)
    await screens.replace(query, adapters_view.one(row, shelf.slots, shelf.changes, presets, admin.id))


async def carry_out(deeds: Deeds, admin: Admin, adapter: str | None, data: OfAdapter) -> Outcome:
    """By what the button says; nothing for what cannot be."""
    if data.act == "live":
        return await deeds.promote(admin.id, adapter, data.slot, expected=data.revision)
    if data.act == "free":
        return await deeds.release(admin.id, data.slot, expected=data.revision)
    if adapter is not None and data.act == "try" and data.share > 0:
        return await deeds.canary(admin.id, adapter, data.slot, data.share, expected=data.revision)
    if adapter is not None and data.act == "end":
        return await deeds.end_canary(admin.id, adapter, data.slot)
    return Outcome(False)
