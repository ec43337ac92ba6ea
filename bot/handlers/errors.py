"""The last resort: what no handler expected. Errors that mean «try again» are left to the intake."""

from __future__ import annotations

from contextlib import suppress

import structlog
from aiogram import Router
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.types import CallbackQuery, ErrorEvent, Message, Update

from bot import texts
from bot.failures import away, unreachable
from bot.metrics import Metrics
from bot.supervision import where
from storage.database import Database

log = structlog.get_logger(__name__)


def router() -> Router:
    """Fresh router."""
    errors = Router(name="errors")
    errors.errors.register(blocked, _is_blocked)
    errors.errors.register(refused, _is_refusal)
    errors.errors.register(broken, _is_ours)
    return errors


def _is_blocked(event: ErrorEvent) -> bool:
    return isinstance(event.exception, TelegramForbiddenError)


def _is_refusal(event: ErrorEvent) -> bool:
    return isinstance(event.exception, TelegramBadRequest)


def _is_ours(event: ErrorEvent) -> bool:
    return not away(event.exception) and not unreachable(event.exception)


async def blocked(event: ErrorEvent, database: Database) -> None:
    """The person does not want the bot: remember it."""
    source = event.update.message or event.update.callback_query or event.update.edited_message
    user = source.from_user if source else None
    if user is None:
        return
    async with database.unit() as unit:
        await unit.people.block(user.id, True)
        await unit.commit()


async def refused(event: ErrorEvent, metrics: Metrics) -> None:
    """Telegram does not let us answer (the chat or the message is gone): there is nobody to tell."""
    metrics.updates.labels(outcome="refused").inc()
    log.warning("telegram refuses an answer", update_id=event.update.update_id, place=where(event.exception))


async def broken(event: ErrorEvent, metrics: Metrics) -> None:
    """Log where it broke (never what was written) and tell the person."""
    metrics.updates.labels(outcome="error").inc()
    log.error(
        "handler failed",
        update_id=event.update.update_id,
        error=type(event.exception).__name__,
        place=where(event.exception),
    )
    with suppress(TelegramAPIError):
        await _apologize(event.update)


async def _apologize(update: Update) -> None:
    event = update.event
    if isinstance(event, CallbackQuery):
        await event.answer(texts.SOMETHING_BROKE, show_alert=True)
    elif isinstance(event, Message) and update.message is not None and event.chat.type == "private":
        await event.answer(texts.SOMETHING_BROKE)
