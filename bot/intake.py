"""One raw update, to its end: parsed, handled in its chat's order, tried again while Redis or SQL is away.

Both ways of receiving (polling, webhook) confirm an update to Telegram only when its future says True. Does not know
how updates come in or what the handlers do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.types import Update
from pydantic import ValidationError

from bot.crisis import is_crisis
from bot.failures import away, insist, pause_after, unreachable
from bot.lanes import Lanes
from bot.metrics import Metrics
from bot.sayings import Answered, Sayings
from bot.supervision import Supervisor

log = structlog.get_logger(__name__)

ALLOWED = ("message", "edited_message", "callback_query", "message_reaction", "my_chat_member")
TELEGRAM_TRIES = 6
# Two minutes and more: somebody is in danger.
CARD_TRIES = 20


class Intake:
    """Feeds updates to the dispatcher, those of one chat in order, different chats at once."""

    def __init__(
        self, bot: Bot, dispatcher: Dispatcher, supervisor: Supervisor, sayings: Sayings, metrics: Metrics
    ) -> None:
        self.bot = bot
        self.dispatcher = dispatcher
        self.sayings = sayings
        self.metrics = metrics
        self.lanes = Lanes("updates", supervisor)
        self._running: dict[int, asyncio.Future[bool]] = {}

    def accept(self, raw: Mapping[str, Any]) -> asyncio.Future[bool]:
        """Begin to handle an update. The future says True when it may be confirmed; the same update runs only once."""
        number = update_number(raw)
        running = self._running.get(number) if number is not None else None
        if running is not None:
            return running
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if number is None:
            self.metrics.updates.labels(outcome="malformed").inc()
            future.set_result(True)
            return future
        self._running[number] = future
        future.add_done_callback(lambda _: self._running.pop(number, None))
        self.lanes.submit(lane(raw), lambda: self._finish(number, raw, future))
        return future

    async def _finish(self, number: int, raw: Mapping[str, Any], future: asyncio.Future[bool]) -> None:
        finished = False
        try:
            outcome = await self._handle(number, raw)
            self.metrics.updates.labels(outcome=outcome).inc()
            finished = True
        finally:
            if not future.done():
                future.set_result(finished)

    async def _handle(self, number: int, raw: Mapping[str, Any]) -> str:
        try:
            update = Update.model_validate(raw, context={"bot": self.bot})
            if update.event_type not in ALLOWED:
                return "ignored"
        except (ValidationError, LookupError):
            log.warning("malformed update", update_id=number)
            return "malformed"
        # Repeated messages are known by their id in SQL: they need a mark only where something was said at once.
        plain = plain_text(raw)
        answered = await self.sayings.recall(self.bot.id, number, urgent=urgent(raw))
        if answered.done:
            return "repeated"
        outcome = await self._feed(update, answered)
        if answered.said or not plain:
            await insist("mark handled", self.sayings.finish, answered)
        return outcome

    async def _feed(self, update: Update, answered: Answered) -> str:
        failures = refusals = 0
        while True:
            try:
                with answered.speaking():
                    await self.dispatcher.feed_update(self.bot, update)
                return "handled"
            except Exception as error:
                failures += 1
                refusals += not away(error)
                tries = CARD_TRIES if answered.urgent else TELEGRAM_TRIES
                if not away(error) and not (unreachable(error) and refusals < tries):
                    log.error("update failed", update_id=update.update_id, error=type(error).__name__)
                    return "failed"
                log.warning("update waits", update_id=update.update_id, error=type(error).__name__, failures=failures)
                await asyncio.sleep(pause_after(failures))
                await self.sayings.look_again(answered)
                if answered.done:
                    return "repeated"


def update_number(raw: Mapping[str, Any]) -> int | None:
    """The update's id; None if it has none that can be confirmed."""
    number = raw.get("update_id")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def plain_text(raw: Mapping[str, Any]) -> bool:
    """Whether the update is a message of words, not a command."""
    message = raw.get("message")
    text = message.get("text") if isinstance(message, Mapping) else None
    return isinstance(text, str) and not text.startswith("/")


def urgent(raw: Mapping[str, Any]) -> bool:
    """Whether the update is words, new or edited, under a file or not, of somebody in danger."""
    message = raw.get("edited_message") or raw.get("message")
    words = (message.get("text") or message.get("caption")) if isinstance(message, Mapping) else None
    return isinstance(words, str) and is_crisis(words)


def lane(raw: Mapping[str, Any]) -> int:
    """The chat whose order the update keeps; 0 if it is of no chat."""
    for kind in ALLOWED:
        event = raw.get(kind)
        if isinstance(event, Mapping):
            holder = event.get("message") if kind == "callback_query" else event
            chat = holder.get("chat") if isinstance(holder, Mapping) else event.get("from")
            number = chat.get("id") if isinstance(chat, Mapping) else None
            return number if isinstance(number, int) else 0
    return 0
