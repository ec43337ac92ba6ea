"""/presets: look at emotions, switch them, change them, add new ones by a message that is shown before it is saved."""

from __future__ import annotations

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from bot.admin import callbacks as c
from bot.admin import preset_form, preset_view, screens
from bot.admin import preset_texts as texts
from bot.admin.drafts import Drafts
from bot.admin.gate import Admin, ByButton, ByMessage
from bot.admin.job_watch import JobWatch
from bot.admin.preset_deeds import Changed, LastPreset, PresetDeeds
from bot.admin.texts import DONE
from bot.catalogue import Catalogue
from bot.screen import say
from bot.settings import BotSettings
from bot.waiting import Waiting
from storage.database import Database
from storage.presets import Preset
from storage.repositories.presets import PresetBook

WAITS = "preset:"
NEW = WAITS + "new"
OfPreset = c.OfPreset


def router() -> Router:
    """Fresh router."""
    presets = Router(name="admin presets")
    presets.message.register(show, Command("presets"), ByMessage())
    presets.message.register(take, F.text & ~F.text.startswith("/"), _expected, ByMessage())
    presets.callback_query.register(turn, ByButton(), c.Open.filter(F.view == "presets"))
    presets.callback_query.register(one, ByButton(), OfPreset.filter(F.act == "card"))
    presets.callback_query.register(begin, ByButton(), OfPreset.filter(F.act.in_({"edit", "add"})))
    presets.callback_query.register(save, ByButton(), OfPreset.filter((F.act == "save") & F.draft))
    presets.callback_query.register(drop, ByButton(), OfPreset.filter((F.act == "drop") & F.draft))
    deeds = F.act.in_({"off", "on", "file", "remove"})
    presets.callback_query.register(ask, ByButton(), OfPreset.filter(deeds & ~F.sure))
    presets.callback_query.register(act, ByButton(), OfPreset.filter(deeds & F.sure))
    return presets


async def _expected(message: Message, waiting: Waiting) -> bool:
    what = await waiting.get(message.chat.id, message.from_user.id) if message.from_user else None
    return what is not None and what.startswith(WAITS)


async def show(message: Message, admin: Admin, bot: Bot, catalogue: Catalogue, database: Database) -> None:
    """The list as a new message."""
    await catalogue.refresh(database)
    await screens.send(bot, message.chat.id, preset_view.listed(catalogue, admin.id))


async def turn(
    query: CallbackQuery, admin: Admin, catalogue: Catalogue, database: Database, job_watch: JobWatch
) -> None:
    """The list in the place of what was there."""
    if query.message is not None:
        await job_watch.leave(admin.id, query.message.message_id)
    await catalogue.refresh(database)
    await say(query, "")
    await screens.replace(query, preset_view.listed(catalogue, admin.id))


async def meant(
    query: CallbackQuery, data: OfPreset, catalogue: Catalogue, database: Database
) -> tuple[Preset, int] | None:
    """The preset of a button and how many chats use it; an alert if it is gone."""
    await catalogue.refresh(database)
    preset = catalogue.get(data.preset)
    if preset is None:
        await say(query, texts.GONE, alert=True)
        return None
    async with database.view() as unit:
        return preset, await PresetBook(unit.session).chats(preset.id)


async def one(
    query: CallbackQuery, callback_data: OfPreset, admin: Admin, catalogue: Catalogue, database: Database
) -> None:
    """One of them."""
    found = await meant(query, callback_data, catalogue, database)
    if found is not None:
        await say(query, "")
        await screens.replace(query, preset_view.one(catalogue, *found, admin.id))


async def begin(
    query: CallbackQuery,
    callback_data: OfPreset,
    admin: Admin,
    bot: Bot,
    catalogue: Catalogue,
    database: Database,
    waiting: Waiting,
) -> None:
    """Ask for the message."""
    if callback_data.act == "add":
        await waiting.set(admin.id, admin.id, NEW)
        await say(query, "")
        await screens.send(bot, admin.id, preset_view.ask_new(catalogue))
        return
    found = await meant(query, callback_data, catalogue, database)
    if found is not None:
        await waiting.set(admin.id, admin.id, WAITS + found[0].id)
        await say(query, "")
        await screens.send(bot, admin.id, preset_view.ask_change(found[0]))


async def take(
    message: Message,
    admin: Admin,
    bot: Bot,
    catalogue: Catalogue,
    database: Database,
    waiting: Waiting,
    drafts: Drafts,
) -> None:
    """The message with the emotion: a preview, or what is wrong with it."""
    await catalogue.refresh(database)
    what = await waiting.get(admin.id, admin.id) or NEW
    before = None if what == NEW else catalogue.get(what.removeprefix(WAITS))
    if what != NEW and before is None:
        await waiting.clear(admin.id, admin.id)
        await screens.send(bot, admin.id, screens.Screen(screens.plain(texts.GONE)))
        return
    whole = catalogue.file.model_copy(update={"presets": tuple(catalogue.all)})
    ids = {preset.id for preset in catalogue.all}
    built = preset_form.build(preset_form.read(message.text or ""), before, whole, ids)
    if not isinstance(built, Preset):
        await screens.send(bot, admin.id, preset_view.wrong(built))
        return
    if built == before:
        await screens.send(bot, admin.id, screens.Screen(screens.plain(texts.SAME)))
        return
    await waiting.clear(admin.id, admin.id)
    draft = await drafts.put(admin.id, built, before)
    await screens.send(bot, admin.id, preset_view.preview(built, before is None, draft, admin.id))


async def save(
    query: CallbackQuery,
    callback_data: OfPreset,
    admin: Admin,
    catalogue: Catalogue,
    database: Database,
    drafts: Drafts,
    preset_deeds: PresetDeeds,
) -> None:
    """The preview's yes."""
    found = await drafts.take(admin.id, callback_data.draft)
    try:
        if found is None:
            raise Changed
        await preset_deeds.save(admin.id, *found)
    except Changed:
        await say(query, texts.STALE, alert=True)
        return
    fresh = await meant(query, callback_data, catalogue, database)
    if fresh is not None:
        await say(query, texts.SAVED.format(title=fresh[0].title))
        await screens.replace(query, preset_view.one(catalogue, *fresh, admin.id))


async def drop(query: CallbackQuery, callback_data: OfPreset, admin: Admin, drafts: Drafts) -> None:
    """The preview's no."""
    await drafts.take(admin.id, callback_data.draft)
    await say(query, "")
    await screens.replace(query, screens.Screen(screens.plain(texts.DROPPED)))


async def ask(
    query: CallbackQuery, callback_data: OfPreset, catalogue: Catalogue, database: Database, settings: BotSettings
) -> None:
    """«Are you sure», with how many chats it is about."""
    found = await meant(query, callback_data, catalogue, database)
    if found is not None:
        fallback = catalogue.fallback(settings.default_emotion, but_not=found[0].id)
        await say(query, "")
        await screens.replace(query, preset_view.question(callback_data, *found, fallback.title))


async def act(
    query: CallbackQuery,
    callback_data: OfPreset,
    admin: Admin,
    catalogue: Catalogue,
    database: Database,
    preset_deeds: PresetDeeds,
) -> None:
    """The confirmed deed, then what there is now."""
    told, alert = DONE, False
    try:
        if callback_data.act in ("on", "off"):
            await preset_deeds.switch(admin.id, callback_data.preset, callback_data.act == "on")
        else:
            await preset_deeds.forget_changes(admin.id, callback_data.preset)
    except LastPreset:
        told, alert = texts.LAST, True
    except Changed:
        told, alert = texts.ALREADY, True
    await say(query, told, alert=alert)
    await catalogue.refresh(database)
    preset = catalogue.get(callback_data.preset)
    if preset is None:
        await screens.replace(query, preset_view.listed(catalogue, admin.id))
    else:
        async with database.view() as unit:
            chats = await PresetBook(unit.session).chats(preset.id)
        await screens.replace(query, preset_view.one(catalogue, preset, chats, admin.id))
