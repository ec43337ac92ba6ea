"""/emotion, /intensity, /persona: how the bot answers in a chat."""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from bot import callbacks as c
from bot import keyboards, texts
from bot.rights import may_set
from bot.screen import change, rekey, say
from bot.settings import BotSettings
from bot.turns import Turns
from bot.waiting import PERSONA, Waiting
from storage.database import Database
from storage.presets import AutoPreset, Preset, Presets
from storage.tables import ChatRow


def router() -> Router:
    """Fresh router."""
    settings = Router(name="settings")
    settings.message.register(emotion, Command("emotion"))
    settings.message.register(intensity, Command("intensity"))
    settings.message.register(persona, Command("persona"))
    settings.callback_query.register(page, c.EmotionPage.filter())
    settings.callback_query.register(pick_emotion, c.PickEmotion.filter())
    settings.callback_query.register(pick_intensity, c.PickIntensity.filter())
    settings.callback_query.register(pick_persona, c.PickPersona.filter())
    return settings


async def read(database: Database, turns: Turns, message: Message) -> ChatRow:
    """The chat's settings as they are."""
    async with database.unit() as unit:
        chat = await turns.chat(unit, message.chat.id, message.chat.type)
        await unit.commit()
    return chat


async def write(database: Database, turns: Turns, message: Message, **values: str | int) -> None:
    """Change some of the chat's settings."""
    async with database.unit() as unit:
        chat = await turns.chat(unit, message.chat.id, message.chat.type)
        for name, value in values.items():
            setattr(chat, name, value)
        await unit.commit()


def _chosen(preset: Preset | AutoPreset) -> str:
    text = texts.EMOTION_AUTO if isinstance(preset, AutoPreset) else texts.EMOTION_SET
    return text.format(emoji=preset.emoji, title=preset.title)


def _values(preset: Preset | AutoPreset) -> dict[str, str | int]:
    return {"emotion": preset.id}


async def emotion(
    message: Message, command: CommandObject, bot: Bot, database: Database, turns: Turns, presets: Presets
) -> None:
    """`/emotion радость`, or the keyboard."""
    if not await may_set(bot, message):
        await message.reply(texts.ONLY_ADMINS)
        return
    wanted = (command.args or "").strip()
    preset = presets.find(wanted) if wanted else None
    if preset is not None:
        await write(database, turns, message, **_values(preset))
        await message.answer(_chosen(preset))
        return
    chat = await read(database, turns, message)
    question = texts.EMOTION_UNKNOWN if wanted else texts.EMOTION_QUESTION
    await message.answer(question, reply_markup=keyboards.emotions_around(presets, chat.emotion))


async def page(query: CallbackQuery, callback_data: c.EmotionPage, database: Database, presets: Presets) -> None:
    """Another page of emotions."""
    if not isinstance(query.message, Message):
        await say(query, texts.BUTTON_STALE, alert=True)
        return
    async with database.view() as unit:
        chat = await unit.chats.get(query.message.chat.id)
    await say(query, "")
    await rekey(query, keyboards.emotions(presets, chat.emotion if chat else "", callback_data.page))


async def pick_emotion(
    query: CallbackQuery, callback_data: c.PickEmotion, bot: Bot, database: Database, turns: Turns, presets: Presets
) -> None:
    """Remember the emotion; the keyboard shows it."""
    preset = presets.find(callback_data.preset)
    if preset is None or not isinstance(query.message, Message):
        await say(query, texts.BUTTON_UNKNOWN, alert=True)
        return
    if not await may_set(bot, query):
        await say(query, texts.ONLY_ADMINS, alert=True)
        return
    await write(database, turns, query.message, **_values(preset))
    await say(query, _chosen(preset))
    await rekey(query, keyboards.emotions_around(presets, preset.id))


async def intensity(message: Message, command: CommandObject, bot: Bot, database: Database, turns: Turns) -> None:
    """`/intensity 3`, or the keyboard."""
    if not await may_set(bot, message):
        await message.reply(texts.ONLY_ADMINS)
        return
    wanted = (command.args or "").strip()
    if wanted in ("1", "2", "3"):
        await write(database, turns, message, intensity=int(wanted))
        await message.answer(texts.INTENSITY_SET.format(words=texts.INTENSITIES[int(wanted)]))
        return
    chat = await read(database, turns, message)
    question = texts.INTENSITY_UNKNOWN if wanted else texts.INTENSITY_QUESTION
    await message.answer(question, reply_markup=keyboards.intensities(chat.intensity))


async def pick_intensity(
    query: CallbackQuery, callback_data: c.PickIntensity, bot: Bot, database: Database, turns: Turns
) -> None:
    """Remember the step."""
    if not isinstance(query.message, Message):
        await say(query, texts.BUTTON_STALE, alert=True)
        return
    if not await may_set(bot, query):
        await say(query, texts.ONLY_ADMINS, alert=True)
        return
    await write(database, turns, query.message, intensity=callback_data.step)
    await say(query, texts.INTENSITY_SET.format(words=texts.INTENSITIES[callback_data.step]))
    await rekey(query, keyboards.intensities(callback_data.step))


async def persona(
    message: Message, command: CommandObject, bot: Bot, database: Database, turns: Turns, settings: BotSettings
) -> None:
    """`/persona описание`, or the keyboard."""
    if not await may_set(bot, message):
        await message.reply(texts.ONLY_ADMINS)
        return
    wanted = " ".join((command.args or "").split())
    if wanted:
        await set_persona(message, wanted, database, turns, settings)
        return
    chat = await read(database, turns, message)
    shown = chat.persona or texts.PERSONA_NONE
    await message.answer(texts.PERSONA_QUESTION.format(persona=shown), reply_markup=keyboards.personas(chat.persona))


async def set_persona(message: Message, text: str, database: Database, turns: Turns, settings: BotSettings) -> None:
    """Remember a persona in one's own words, unless it is too long."""
    if len(text) > settings.max_persona_chars:
        limit = settings.max_persona_chars
        await message.reply(texts.PERSONA_TOO_LONG.format(limit=limit, length=len(text)))
        return
    await write(database, turns, message, persona=text)
    await message.answer(texts.PERSONA_SET.format(persona=text))


async def pick_persona(
    query: CallbackQuery,
    callback_data: c.PickPersona,
    bot: Bot,
    database: Database,
    turns: Turns,
    settings: BotSettings,
    waiting: Waiting,
) -> None:
    """A ready persona, none, or one's own words next."""
    number = callback_data.number
    if not isinstance(query.message, Message) or not -2 <= number < len(texts.PERSONAS):
        await say(query, texts.BUTTON_UNKNOWN, alert=True)
        return
    if not await may_set(bot, query):
        await say(query, texts.ONLY_ADMINS, alert=True)
        return
    if number == -2:
        await waiting.set(query.message.chat.id, query.from_user.id, PERSONA)
        await say(query, "")
        await query.message.answer(texts.PERSONA_WAIT.format(limit=settings.max_persona_chars))
        return
    chosen = texts.PERSONAS[number][1] if number >= 0 else ""
    await write(database, turns, query.message, persona=chosen)
    told = texts.PERSONA_SET.format(persona=chosen) if chosen else texts.PERSONA_CLEARED
    await say(query, texts.NOTED)
    await change(query, told, keyboards.personas(chosen))
