"""«typing…» and the queue note for everybody who waits, by one loop. Errors here never matter to an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramRetryAfter

from bot import texts
from bot.flights import Flight, Flights
from bot.metrics import Metrics
from bot.settings import BotSettings
from bot.supervision import Supervisor
from storage.contracts import ChatReply, ReplyState, now
from storage.conversation import Conversation
from storage.database import Database

log = structlog.get_logger(__name__)

TIMEOUT = 5
SOON = 0.1
"""Seconds: an answer that takes no longer comes without «typing…»; nobody would have seen it."""
LATER = 1.0
"""Seconds, for an answer that changes a message: Telegram shows «typing…» for five seconds if no new message comes."""
OVERDUE = 30.0


def note(waited: float, place: int | None, workers: int, *, after: float) -> str | None:
    """What a person who has waited so long should read; None for nothing. `place`: requests ahead, None if unknown."""
    if waited < after or place is None:
        return None
    if workers == 0:
        return texts.NO_WORKERS
    return texts.QUEUE_PLACE.format(ahead=place) if place > 0 else texts.QUEUE_NEXT


def patience(flight: Flight) -> float:
    """Seconds before «typing…» is first shown."""
    return LATER if flight.edits else SOON


class Progress:
    """Keeps people company while they wait."""

    def __init__(
        self,
        bot: Bot,
        flights: Flights,
        conversation: Conversation,
        database: Database,
        settings: BotSettings,
        supervisor: Supervisor,
        metrics: Metrics,
    ) -> None:
        self.bot = bot
        self.flights = flights
        self.conversation = conversation
        self.database = database
        self.settings = settings
        self.supervisor = supervisor
        self.metrics = metrics
        self._typed: dict[int, float] = {}
        self._noting: asyncio.Task[None] | None = None
        flights.on_take_off = self._take_off

    async def tick(self) -> None:
        """One round over all who wait, then a short rest."""
        flights = self.flights.all()
        self.metrics.in_flight.set(len(flights))
        moment = time.monotonic()
        for flight in flights:
            if moment - flight.since < patience(flight):
                continue
            if moment - self._typed.get(flight.chat_id, -1e9) >= self.settings.typing_seconds:
                self._show_typing(flight.chat_id)
        self._typed = {chat: at for chat, at in self._typed.items() if moment - at < 60}
        late = [flight for flight in flights if moment - flight.since >= self.settings.note_after_seconds]
        if late and (self._noting is None or self._noting.done()):
            # Beside this loop: notes may be many, or slow, and «typing…» is gone after five seconds.
            self._noting = self.supervisor.spawn("notes", self._notes(late))
        await self.supervisor.rest(min(0.5, self.settings.typing_seconds / 4))

    def _take_off(self, flight: Flight) -> None:
        # The loop would come too late for a quick answer, and would think that the last answer's «typing…» still shows.
        asyncio.get_running_loop().call_later(patience(flight), self._begin, flight)

    def _begin(self, flight: Flight) -> None:
        waits = self.flights.waits(flight.request_id) and not self.supervisor.stopping.is_set()
        if waits and self._typed.get(flight.chat_id, -1e9) < flight.since:
            self._show_typing(flight.chat_id)

    def _show_typing(self, chat_id: int) -> None:
        self._typed[chat_id] = time.monotonic()
        self.supervisor.spawn("typing", self._type(chat_id))

    async def _notes(self, late: Sequence[Flight]) -> None:
        workers = await self.conversation.workers()
        places = await self.conversation.places([flight.request_id for flight in late])
        for flight in late:
            await self._note(flight, time.monotonic() - flight.since, places.get(flight.request_id), workers)

    async def _type(self, chat_id: int) -> None:
        try:
            await self.bot.send_chat_action(chat_id, "typing", request_timeout=TIMEOUT)
        except TelegramRetryAfter as error:
            self._typed[chat_id] = time.monotonic() + error.retry_after
        except TelegramAPIError as error:
            log.debug("typing not shown", error=type(error).__name__)

    async def _note(self, flight: Flight, waited: float, place: int | None, workers: int) -> None:
        if waited > self.settings.deadline_seconds + OVERDUE:
            await self._give_up(flight)
            return
        text = note(waited, place, workers, after=self.settings.note_after_seconds)
        if text is None or text == flight.told or not self.flights.waits(flight.request_id):
            return
        flight.told = text
        with suppress(TelegramAPIError):
            if flight.note_id is None:
                await self._send_note(flight, text)
            else:
                await self.bot.edit_message_text(
                    text, chat_id=flight.chat_id, message_id=flight.note_id, request_timeout=TIMEOUT
                )

    async def _send_note(self, flight: Flight, text: str) -> None:
        async with self.database.view() as unit:
            turn = await unit.turns.get(flight.turn_id)
            flight.note_id = turn.note_id if turn else None
        if flight.note_id is not None:
            # An earlier process sent the note; the next round edits it.
            flight.told = ""
            return
        message = await self.bot.send_message(flight.chat_id, text, request_timeout=TIMEOUT)
        flight.note_id = message.message_id
        # A message ends «typing…» on the screen.
        self._typed.pop(flight.chat_id, None)
        async with self.database.unit() as writing:
            turn = await writing.turns.lock(flight.turn_id)
            if turn is not None and self.flights.waits(flight.request_id):
                turn.note_id = message.message_id
                await writing.commit()
                return
        # The answer overtook the note.
        await self.bot.delete_message(flight.chat_id, message.message_id, request_timeout=TIMEOUT)

    async def _give_up(self, flight: Flight) -> None:
        """No worker said anything long after the deadline (the queue was lost): tell the person ourselves."""
        async with self.database.view() as unit:
            row = await unit.replies.get(flight.request_id)
        if row is None or row.delivery != "waiting":
            self.flights.land(flight.request_id)
            return
        deadline = datetime.fromisoformat(row.request["deadline"]) if row.request else now()
        if now() < deadline + timedelta(seconds=OVERDUE):
            return  # it was given more time than usual
        reply = ChatReply(
            request_id=flight.request_id,
            chat_id=flight.chat_id,
            state=ReplyState.EXPIRED,
            emotion=row.emotion,
            intensity=row.intensity,
            created_at=now(),
        )
        await self.conversation.replies.push(reply, f"expired-{flight.request_id}")
