"""Judging an answer: 👍 👎, the panel with four criteria, reactions, corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command, CommandObject
from aiogram.types import (
    CallbackQuery,
    Message,
    MessageReactionUpdated,
    ReactionTypeEmoji,
    ReactionTypeUnion,
    Update,
)

from bot import callbacks as c
from bot import keyboards, texts
from bot.answers import Answers, Found
from bot.decisions import reacted, toggled
from bot.metrics import Metrics
from bot.pace import Pace
from bot.screen import rekey, say
from bot.settings import BotSettings
from storage.contracts import Rating, RatingSource, RatingStars
from storage.ratings import RatingBook, thumb_source

CRITERIA = dict(keyboards.CRITERIA)


def router() -> Router:
    """Fresh router."""
    ratings = Router(name="ratings")
    ratings.callback_query.register(thumb, c.Thumb.filter())
    ratings.callback_query.register(details, c.Details.filter())
    ratings.callback_query.register(star, c.Star.filter())
    ratings.callback_query.register(wrong_emotion, c.WrongEmotion.filter())
    ratings.message_reaction.register(reaction)
    ratings.message.register(fix, Command("fix"))
    return ratings


async def meant(query: CallbackQuery, answers: Answers, request_id: str) -> Found | None:
    """The answer under which the button is; an alert and None if there is none."""
    found = None
    if query.message is not None:
        found = await answers.by_button(query.message.chat.id, query.message.message_id, request_id)
    if found is None:
        await say(query, texts.BUTTON_STALE, alert=True)
    return found


async def own(book: RatingBook, found: Found, user_id: int) -> Rating | None:
    """What this person said of this very answer."""
    return (await book.of_answer(found.chat_id, found.message_id, found.request_id)).get(user_id)


async def submit(
    book: RatingBook, metrics: Metrics, found: Found, user_id: int, rating_id: str, source: RatingSource, **said: Any
) -> None:
    """Store one judgement; `rating_id` comes from the tap or message, so that a repeated update counts once."""
    rating = Rating(
        rating_id=rating_id,
        chat_id=found.chat_id,
        message_id=found.message_id,
        user_id=user_id,
        request_id=found.request_id,
        source=source,
        **said,
    )
    await book.submit(rating)
    metrics.ratings.labels(source=source.value).inc()


async def thumb(
    query: CallbackQuery, callback_data: c.Thumb, answers: Answers, book: RatingBook, metrics: Metrics
) -> None:
    """👍 or 👎; the same again takes it back."""
    found = await meant(query, answers, callback_data.answer)
    if found is None:
        return
    before = await own(book, found, query.from_user.id)
    value = toggled(before.thumb if before else None, 1 if callback_data.up else -1)
    await submit(book, metrics, found, query.from_user.id, f"cb-{query.id}", RatingSource.BUTTON, thumb=value)
    await say(query, {1: texts.THUMB_UP, -1: texts.THUMB_DOWN}.get(value, texts.THUMB_BACK))
    await rekey(query, await answers.keyboard(found))


async def details(query: CallbackQuery, callback_data: c.Details, answers: Answers, book: RatingBook) -> None:
    """Open or close the panel."""
    found = await meant(query, answers, callback_data.answer)
    if found is None:
        return
    await say(query, "" if callback_data.open else texts.THANKS)
    if callback_data.open:
        await show_panel(query, found, book)
    else:
        await rekey(query, await answers.keyboard(found))


async def show_panel(query: CallbackQuery, found: Found, book: RatingBook) -> None:
    """The panel; with one's own stars where nobody else sees them."""
    mine = await own(book, found, query.from_user.id) if found.chat_id > 0 else None
    await rekey(query, keyboards.details(found.request_id, mine))


async def star(
    query: CallbackQuery, callback_data: c.Star, answers: Answers, book: RatingBook, metrics: Metrics
) -> None:
    """1–5 for one criterion."""
    found = await meant(query, answers, callback_data.answer)
    if found is None:
        return
    name = CRITERIA[callback_data.criterion]
    stars = RatingStars(**{name: callback_data.stars})
    await submit(book, metrics, found, query.from_user.id, f"cb-{query.id}", RatingSource.BUTTON, stars=stars)
    await say(query, f"{texts.CRITERIA[name]}: {callback_data.stars}")
    await show_panel(query, found, book)


async def wrong_emotion(
    query: CallbackQuery, callback_data: c.WrongEmotion, answers: Answers, book: RatingBook, metrics: Metrics
) -> None:
    """«Не та эмоция»; the same again takes it back."""
    found = await meant(query, answers, callback_data.answer)
    if found is None:
        return
    before = await own(book, found, query.from_user.id)
    reason = "" if before and before.reason == keyboards.WRONG_EMOTION else keyboards.WRONG_EMOTION
    await submit(book, metrics, found, query.from_user.id, f"cb-{query.id}", RatingSource.BUTTON, reason=reason)
    await say(query, texts.NOTED)
    await show_panel(query, found, book)


def emojis(reactions: Sequence[ReactionTypeUnion]) -> list[str]:
    """Those of them that are ordinary emojis."""
    return [kind.emoji for kind in reactions if isinstance(kind, ReactionTypeEmoji)]


async def reaction(
    event: MessageReactionUpdated,
    event_update: Update,
    bot: Bot,
    answers: Answers,
    book: RatingBook,
    metrics: Metrics,
    pace: Pace,
) -> None:
    """A reaction on an answer is a thumb, and so is taking it back; reactions elsewhere are not.

    Each counts as a tap does; beyond that budget they say nothing.
    """
    found = await answers.by_message(event.chat.id, event.message_id) if event.user else None
    if found is None or event.user is None:
        return
    before = await own(book, found, event.user.id)
    value = reacted(
        emojis(event.old_reaction),
        emojis(event.new_reaction),
        thumb=before.thumb if before else None,
        by_reaction=before is not None and thumb_source(before) is RatingSource.REACTION,
    )
    mark = f"re-{bot.id}-{event_update.update_id}-{int(event.date.timestamp())}"
    if value is None or not (await pace.ordinary.check(event.user.id, mark)).allowed:
        return
    await submit(book, metrics, found, event.user.id, mark, RatingSource.REACTION, thumb=value)
    try:
        await bot.edit_message_reply_markup(
            chat_id=found.chat_id, message_id=found.message_id, reply_markup=await answers.keyboard(found)
        )
    except TelegramBadRequest:
        return


async def fix(
    message: Message,
    command: CommandObject,
    answers: Answers,
    book: RatingBook,
    metrics: Metrics,
    settings: BotSettings,
) -> None:
    """`/fix текст` as a reply to an answer: how it would have been better."""
    text = (command.args or "").strip()
    if not text or message.reply_to_message is None or message.from_user is None:
        await message.reply(texts.FIX_HOW if message.reply_to_message is None else texts.FIX_WHAT)
        return
    if len(text) > settings.max_correction_chars:
        await message.reply(texts.FIX_TOO_LONG.format(limit=settings.max_correction_chars))
        return
    found = await answers.by_message(message.chat.id, message.reply_to_message.message_id)
    if found is None:
        await message.reply(texts.FIX_NOT_MINE)
        return
    mark = f"fix-{message.chat.id}-{message.message_id}"
    await submit(book, metrics, found, message.from_user.id, mark, RatingSource.CORRECTION, correction=text)
    await message.reply(texts.FIX_DONE)
