"""Turns of a chat: from stored messages to one queued request at a time. Knows nothing of Telegram.

Every step is stored in SQL before it is pushed to Redis and may be repeated: request ids are deterministic, pushes are
idempotent, and `recover` takes up whatever a killed process left.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bot.asking import AsBefore, Asking, Style
from bot.catalogue import Catalogue
from bot.decisions import Dropped, EditAction, Said, VariantAnswer, edit_action, next_batch
from bot.flights import Flights
from bot.outbox import Outbox
from bot.settings import BotSettings
from storage.contracts import ChatRequest, Rating, RatingSource
from storage.conversation import Conversation
from storage.database import Database, Unit
from storage.queue import QueueFull
from storage.ratings import RatingBook
from storage.tables import ChatRow, InboxRow, ReplyRow, TurnRow

log = structlog.get_logger(__name__)

QUEUE_FULL = "queue_full"


class Turns:
    """Everything that starts, restarts or ends a turn."""

    def __init__(
        self,
        database: Database,
        conversation: Conversation,
        book: RatingBook,
        catalogue: Catalogue,
        settings: BotSettings,
        outbox: Outbox,
        flights: Flights,
    ) -> None:
        self.database = database
        self.conversation = conversation
        self.book = book
        self.catalogue = catalogue
        self.settings = settings
        self.asking = Asking(settings)
        self.outbox = outbox
        self.flights = flights
        # Requests whose turn surely follows no variant, so that nothing has to be looked up for them.
        self._nothing_kept: set[str] = set()

    async def chat(self, unit: Unit, chat_id: int, kind: str) -> ChatRow:
        """The chat, locked; a new one gets the installation's default emotion."""
        presets = self.catalogue.current
        preset = presets.find(self.settings.default_emotion) or presets.presets[0]
        return await unit.chats.ensure(chat_id, kind=kind, emotion=preset.id, intensity=getattr(preset, "intensity", 2))

    async def receive(self, said: Said) -> str | None:
        """Store a message once and, if the chat is free, queue a turn. Returns when it cannot get lost any more.

        A chat whose preset is switched off is answered in the default one; then the id of the one that is off is
        returned, until the person is told and `fall_back` called.
        """
        async with self.database.unit() as unit:
            chat = await self.chat(unit, said.chat_id, said.kind)
            gone = chat.emotion if self.catalogue.current.find(chat.emotion) is None else None
            person = await unit.people.ensure(said.user_id)
            person.blocked = False
            if not await unit.inbox.add(said.chat_id, said.message_id, said.user_id, said.text):
                await unit.inbox.readmit(said.chat_id, said.message_id, said.text)
            requests = await self._begin(unit, chat)
            await unit.commit()
        await self._push_all(requests)
        return gone

    async def fall_back(self, chat_id: int, gone: str) -> None:
        """The person knows that the chat's preset is switched off: it has the default one from now on."""
        async with self.database.unit() as unit:
            chat = await unit.chats.lock(chat_id)
            if chat is not None and chat.emotion == gone:
                chat.emotion = self.catalogue.fallback(self.settings.default_emotion).id
                await unit.commit()

    async def turn_away(self, said: Said, state: str = "refused") -> None:
        """Remember, without its words, that a message is none of the dialogue.

        Refused: `receive` takes it in once an edit has mended it. Persona: no edit does.
        """
        async with self.database.unit() as unit:
            await unit.inbox.add(said.chat_id, said.message_id, said.user_id, "", state=state)
            await unit.commit()

    async def state_of(self, chat_id: int, message_id: int) -> str | None:
        """What became of a message; None if it never came in."""
        async with self.database.view() as unit:
            row = await unit.inbox.get(chat_id, message_id)
        return row.state if row else None

    async def advance(self, chat_id: int) -> None:
        """Queue the chat's next turn if it is free; push again what is stored but perhaps not queued."""
        async with self.database.unit() as unit:
            chat = await unit.chats.lock(chat_id)
            requests = await self._begin(unit, chat) if chat else []
            await unit.commit()
        await self._push_all(requests)

    async def settle(self, unit: Unit, chat_id: int) -> list[ReplyRow]:
        """Inside a unit that has just ended a turn: the next one, to be given to `push` after the commit."""
        chat = await unit.chats.lock(chat_id)
        if chat is None or not await unit.inbox.waiting(chat_id):
            return []
        return await self._begin(unit, chat)

    async def push(self, rows: list[ReplyRow]) -> None:
        """Queue stored requests; safe to repeat."""
        await self._push_all(rows)

    async def _begin(self, unit: Unit, chat: ChatRow) -> list[ReplyRow]:
        waiting = await unit.inbox.waiting(chat.chat_id)
        running = await unit.replies.in_flight(chat.chat_id)
        batch = next_batch(waiting, busy=bool(running))
        if not batch:
            return [row for row in running if row.delivery == "waiting"]
        turn = await unit.turns.add(chat.chat_id, batch[0].user_id, chat.epoch)
        for row in batch:
            row.state, row.turn_id = "taken", turn.id
        return [await self._ask(unit, chat, turn, batch)]

    async def _ask(self, unit: Unit, chat: ChatRow, turn: TurnRow, messages: Sequence[InboxRow]) -> ReplyRow:
        request, shown_before = await self.asking.request(unit, turn, messages, self._style(chat))
        if shown_before == 0:
            self._nothing_kept.add(request.request_id)
        return await unit.replies.ask(turn, request)

    def _style(self, chat: ChatRow) -> Style:
        if self.catalogue.current.find(chat.emotion) is not None:
            return chat
        return AsBefore(self.catalogue.fallback(self.settings.default_emotion).id, chat.intensity, chat.persona)

    async def _push_all(self, rows: list[ReplyRow]) -> None:
        for row in rows:
            if row.request_id in self._nothing_kept:
                self._nothing_kept.discard(row.request_id)
            elif row.variant == 0 and row.revision == 0:
                await self._record_kept_variant(row)
            await self._push(row)

    async def _push(self, row: ReplyRow) -> None:
        self.flights.add(row.chat_id, row.request_id, row.turn_id, edits=row.variant > 0 or row.revision > 0)
        try:
            await self.conversation.ask(ChatRequest.model_validate(row.request))
        except QueueFull:
            await self._refuse(row)

    async def _refuse(self, row: ReplyRow) -> None:
        """The queue is full: the turn ends here, with a friendly message instead of an answer."""
        async with self.database.unit() as unit:
            stored = await unit.replies.lock(row.request_id)
            if stored is None or stored.delivery != "waiting":
                return
            stored.state, stored.reason, stored.delivery = "failed", QUEUE_FULL, "pending"
            await unit.commit()
        log.warning("queue full, turn dropped", request_id=row.request_id)
        self.outbox.put(row.chat_id, row.request_id)

    async def _record_kept_variant(self, row: ReplyRow) -> None:
        """Talking on under the newest of several variants prefers it to the one before.

        In a group somebody else's next message says nothing of it.
        """
        async with self.database.view() as unit:
            turn = await unit.turns.get(row.turn_id)
            before = await unit.turns.previous(row.chat_id, row.turn_id)
            if turn is None or before is None or before.shown is None or not before.message_ids:
                return
            if turn.user_id != before.user_id:
                return
            variants = await unit.replies.variants(before.id, before.revision)
        if len(variants) < 2 or variants[-1].request_id != before.shown:
            return
        await self.book.submit(
            Rating(
                rating_id=f"keep-{before.shown}",
                chat_id=before.chat_id,
                message_id=before.message_ids[-1],
                user_id=before.user_id,
                request_id=before.shown,
                preferred_over=variants[-2].request_id,
                source=RatingSource.REGENERATE,
            )
        )

    async def another(self, chat_id: int, turn_id: int, shown: str, origin: str) -> VariantAnswer:
        """Ask for another variant of the answer that a turn shows. The same `origin` asks only once."""
        async with self.database.unit() as unit:
            row = await unit.replies.by_origin(origin)
            if row is None:
                found = await self._new_variant(unit, chat_id, turn_id, shown, origin)
                if isinstance(found, VariantAnswer):
                    return found
                row = found
                await unit.commit()
        if row.delivery == "waiting":
            await self._push(row)
        return VariantAnswer.ASKED if row.variant + 1 < self.settings.max_variants else VariantAnswer.LAST

    async def _new_variant(
        self, unit: Unit, chat_id: int, turn_id: int, shown: str, origin: str
    ) -> VariantAnswer | ReplyRow:
        await unit.chats.lock(chat_id)
        turn = await unit.turns.get(turn_id)
        first = await unit.replies.get(shown)
        if turn is None or first is None or turn.chat_id != chat_id or first.revision != turn.revision:
            return VariantAnswer.STALE
        if await unit.replies.in_flight(chat_id):
            return VariantAnswer.BUSY
        number = await unit.replies.next_variant(turn.id, turn.revision)
        if number >= self.settings.max_variants:
            return VariantAnswer.ENOUGH
        persona = str((first.request or {}).get("persona", ""))
        style = AsBefore(first.emotion, first.intensity, persona)
        messages = await unit.inbox.of_turn(turn.id)
        request, _ = await self.asking.request(unit, turn, messages, style, variant=number, first=first)
        return await unit.replies.ask(turn, request, origin=origin)

    async def edited(self, said: Said) -> EditAction:
        """A message was edited: reword it, run its turn again, or leave it."""
        async with self.database.unit() as unit:
            chat = await unit.chats.lock(said.chat_id)
            row = await unit.inbox.get(said.chat_id, said.message_id)
            last = await unit.turns.last(said.chat_id)
            action = edit_action(
                state=row.state if row else None,
                same_text=row is not None and row.text == said.text,
                last_turn=row is not None and last is not None and row.turn_id == last.id,
            )
            dropped = Dropped()
            if row is not None and action in (EditAction.REWORD, EditAction.RERUN):
                row.text = said.text
                row.revision += 1
            if chat and last and action is EditAction.RERUN:
                dropped = await self._drop(unit, said.chat_id)
                last.revision, last.state = last.revision + 1, "active"
                await self._ask(unit, chat, last, await unit.inbox.of_turn(last.id))
            requests = await self._begin(unit, chat) if chat else []
            await unit.commit()
        await self._stop(dropped)
        await self._push_all(requests)
        return action

    async def withdraw(self, chat_id: int, message_id: int, user_id: int) -> Dropped:
        """A message must not be answered or learned from after all (a crisis message by edit).

        Its turn ends and leaves the dialogue; one that never came in is stored without its text. Safe to repeat. Waits
        for SQL alone; `go_on` is to be called with what was given up.
        """
        dropped = Dropped()
        async with self.database.unit() as unit:
            await unit.chats.lock(chat_id)
            row = await unit.inbox.get(chat_id, message_id)
            if row is None:
                await unit.inbox.add(chat_id, message_id, user_id, "", state="crisis")
                await unit.commit()
                return dropped
            if row.state == "crisis":
                return dropped
            turn = await unit.turns.get(row.turn_id) if row.turn_id else None
            if turn is not None:
                dropped = await self._drop(unit, chat_id, turn_id=turn.id)
                turn.state = "cancelled"
            row.state, row.text = "crisis", ""
            await unit.commit()
        return dropped

    async def go_on(self, chat_id: int, dropped: Dropped) -> None:
        """After `withdraw`: workers need not answer what was given up, and the chat's next turn begins."""
        await self._stop(dropped)
        await self.advance(chat_id)

    async def cancel(self, chat_id: int, *, new_epoch: bool = False) -> Dropped:
        """Give up the running turn and the messages that wait; with `new_epoch` also the dialogue window."""
        async with self.database.unit() as unit:
            chat = await unit.chats.lock(chat_id)
            dropped = await self._drop(unit, chat_id, notes=True)
            dropped.waiting = await unit.inbox.drop_waiting(chat_id)
            if chat and new_epoch:
                chat.epoch += 1
            await unit.commit()
        await self._stop(dropped)
        return dropped

    async def _drop(self, unit: Unit, chat_id: int, *, turn_id: int | None = None, notes: bool = False) -> Dropped:
        """Mark unsent replies of a chat, or of one turn, as unwanted. One that is being sent right now is left."""
        dropped = Dropped()
        for row in await unit.replies.in_flight(chat_id):
            if row.delivery == "sending" or turn_id not in (None, row.turn_id):
                continue
            row.delivery = "dropped"
            dropped.requests.append(row.request_id)
            turn = await unit.turns.get(row.turn_id)
            if turn and row.variant == 0:
                turn.state = "cancelled"
            if turn and turn.note_id and notes:
                dropped.notes.append(turn.note_id)
                turn.note_id = None
        return dropped

    async def _stop(self, dropped: Dropped) -> None:
        for stale in dropped.requests:
            self.flights.land(stale)
            await self.conversation.cancel(stale)

    async def recover(self) -> None:
        """At start: push what was stored but perhaps not queued, send what was answered, begin what waits."""
        async with self.database.view() as unit:
            rows = list(await unit.replies.all_in_flight())
            chats = list(await unit.inbox.chats_waiting())
        for row in rows:
            if row.delivery == "waiting":
                await self._push_all([row])
            else:
                self.outbox.put(row.chat_id, row.request_id)
        for chat_id in chats:
            await self.advance(chat_id)
        log.info("recovered", requests=len(rows), chats=len(chats))
