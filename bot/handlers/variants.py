"""«Другой вариант» and the arrows between variants. Returning to one prefers it to the one left."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiogram import Router
from aiogram.types import CallbackQuery

from bot import callbacks as c
from bot import texts
from bot.answers import Answers, Found
from bot.courier import Courier, Letter
from bot.decisions import VariantAnswer
from bot.handlers.ratings import meant, submit
from bot.limiter import Limiter
from bot.metrics import Metrics
from bot.screen import say
from bot.turns import Turns
from storage.contracts import RatingSource
from storage.database import Database
from storage.ratings import RatingBook

TELEGRAM_TRIES = 6
TOLD = {
    VariantAnswer.ASKED: texts.VARIANT_ASKED,
    VariantAnswer.BUSY: texts.VARIANT_BUSY,
    VariantAnswer.LAST: texts.VARIANT_LAST,
    VariantAnswer.ENOUGH: texts.VARIANT_ENOUGH,
    VariantAnswer.STALE: texts.BUTTON_STALE,
}


def router() -> Router:
    """Fresh router."""
    variants = Router(name="variants")
    variants.callback_query.register(another, c.Another.filter())
    variants.callback_query.register(leaf, c.Leaf.filter())
    return variants


async def another(
    query: CallbackQuery, callback_data: c.Another, answers: Answers, turns: Turns, limiter: Limiter
) -> None:
    """Ask for another variant; it replaces the text when it is ready."""
    found = await meant(query, answers, callback_data.answer)
    if found is None:
        return
    verdict = await limiter.check(query.from_user.id, f"cb-{query.id}")
    if not verdict.allowed:
        await say(query, texts.TOO_OFTEN_BUTTON, alert=True)
        return
    answer = await turns.another(found.chat_id, found.turn_id, found.request_id, f"cb-{query.id}")
    await say(query, TOLD[answer], alert=answer not in (VariantAnswer.ASKED, VariantAnswer.LAST))


async def leaf(
    query: CallbackQuery,
    callback_data: c.Leaf,
    answers: Answers,
    courier: Courier,
    database: Database,
    book: RatingBook,
    metrics: Metrics,
) -> None:
    """Show the variant before or after."""
    found = await meant(query, answers, callback_data.answer)
    if found is None:
        return
    place = found.place + (1 if callback_data.forward else -1)
    if not 0 <= place < len(found.variants):
        await say(query, texts.VARIANT_END)
        return
    async with database.view() as unit:
        busy = await unit.replies.in_flight(found.chat_id)
    if busy:
        await say(query, texts.VARIANT_BUSY, alert=True)
        return
    chosen = replace(found, request_id=found.variants[place])
    await say(query, "")
    if await show(chosen, courier, database, answers):
        await submit(
            book,
            metrics,
            chosen,
            query.from_user.id,
            f"cb-{query.id}",
            RatingSource.REGENERATE,
            preferred_over=found.request_id,
        )


async def show(found: Found, courier: Courier, database: Database, answers: Answers) -> bool:
    """Put a variant on the screen, with what was said of it; False: that failed, the one before stays."""
    letter = Letter(
        chat_id=found.chat_id,
        request_id=found.request_id,
        text=found.texts[found.place],
        replaces=list(found.message_ids),
        answer=found.answer(),
        marks=await answers.marks(found),
    )
    for _ in range(TELEGRAM_TRIES):
        outcome = await courier.carry(letter)
        if outcome.wait is None:
            break
        await asyncio.sleep(outcome.wait)
    if outcome.state != "sent" or outcome.wait is not None:
        return False
    async with database.unit() as unit:
        turn = await unit.turns.get(found.turn_id)
        if turn is not None:
            turn.shown, turn.message_ids = found.request_id, outcome.message_ids
            await unit.commit()
    return True
