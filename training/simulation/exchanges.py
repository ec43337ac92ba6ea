"""The bot's part of an exchange, by the bot's own storage calls: a message becomes a turn, a reply is shown, a tap
counts.

Every step may be repeated after a kill: ids come from who, when and which message. Knows nothing of tastes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError

from storage.contracts import ChatReply, ChatRequest, FailReason, Rating, ReplyState, Turn, now, request_id
from storage.database import Unit
from storage.tables import ReplyRow
from training.simulation.errors import NoReply
from training.simulation.world import World

PATIENCE = 300.0
CONSUMER = "people"
# What a person gets no answer for, and lives on: nothing fit to be sent, or a request that died with killed workers.
UNANSWERED = (FailReason.ENGINE, FailReason.POISONED)


@dataclass(frozen=True)
class Said:
    """One message of somebody, in a dialogue of its own. `number` counts their messages from 0."""

    user_id: int
    number: int
    text: str
    emotion: str
    intensity: int = 2

    @property
    def message_id(self) -> int:
        """The person's message; the bot's answer has the next number."""
        return 10 * self.number + 1

    def request_id(self, variant: int) -> str:
        """As the bot numbers requests."""
        return request_id(self.user_id, (self.message_id,), variant=variant)


@dataclass(frozen=True)
class Shown:
    """An answer that somebody sees; an empty text: the worker had none that may be sent."""

    request_id: str
    text: str
    adapter: str | None
    fit: float | None


class Exchanges:
    """Asks and waits; `running()` reads the replies of the bots' stream meanwhile."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._waiting: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Exchanges]:
        """Replies are stored and shown while this is open."""
        reader = asyncio.create_task(self._read())
        try:
            yield self
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, RedisError):
                await reader

    async def meet(self, user_ids: list[int]) -> None:
        """Make people known, with their consent to be learned from."""
        async with self.world.database.unit() as unit:
            for user_id in user_ids:
                await unit.people.consent(user_id, True)
                await unit.chats.ensure(user_id, kind="private", emotion="neutral", intensity=2)
            await unit.commit()

    async def ask(self, said: Said, variant: int = 0) -> Shown:
        """Say something, or want another variant of its answer; what is shown then. NoReply after some minutes."""
        async with self.world.database.unit() as unit:
            row = await unit.replies.get(said.request_id(variant))
            if row is None:
                row = await (self._begin(unit, said) if variant == 0 else self._another(unit, said, variant))
                await unit.commit()
        if row.delivery == "waiting":
            await self._wait(row)
        async with self.world.database.view() as view:
            stored = await view.replies.get(row.request_id)
        if stored is None or not (stored.state == ReplyState.DONE or stored.reason in UNANSWERED):
            raise NoReply(f"request {row.request_id} ended as {stored.state if stored else 'lost'}: {row.reason}")
        return Shown(stored.request_id, stored.text, stored.adapter, stored.fit)

    async def go_back(self, said: Said) -> None:
        """Show the first variant again."""
        async with self.world.database.unit() as unit:
            row = await unit.replies.get(said.request_id(0))
            turn = await unit.turns.get(row.turn_id) if row else None
            if turn is not None:
                turn.shown = said.request_id(0)
                await unit.commit()

    async def rate(self, said: Said, variant: int, what: str, **values: Any) -> None:
        """Tap. `what` names the tap, so that it counts once."""
        shown = said.request_id(variant)
        rating = Rating(
            rating_id=f"{what}-{shown}",
            chat_id=said.user_id,
            message_id=said.message_id + 1,
            user_id=said.user_id,
            request_id=shown,
            **values,
        )
        await self.world.book.submit(rating)

    async def _begin(self, unit: Unit, said: Said) -> ReplyRow:
        chat = await unit.chats.lock(said.user_id)
        if chat is None:
            raise NoReply(f"person {said.user_id} is unknown: call meet first")
        chat.epoch, chat.emotion, chat.intensity = chat.epoch + 1, said.emotion, said.intensity
        await unit.inbox.add(said.user_id, said.message_id, said.user_id, said.text)
        turn = await unit.turns.add(said.user_id, said.user_id, chat.epoch)
        message = await unit.inbox.get(said.user_id, said.message_id)
        if message is not None:
            message.state, message.turn_id = "taken", turn.id
        return await unit.replies.ask(turn, self._request(said, 0))

    async def _another(self, unit: Unit, said: Said, variant: int) -> ReplyRow:
        first = await unit.replies.get(said.request_id(0))
        turn = await unit.turns.get(first.turn_id) if first else None
        if turn is None:
            raise NoReply(f"request {said.request_id(0)} is unknown: ask for its first answer first")
        return await unit.replies.ask(turn, self._request(said, variant), origin=f"cb-{said.request_id(variant)}")

    def _request(self, said: Said, variant: int) -> ChatRequest:
        return ChatRequest(
            request_id=said.request_id(variant),
            chat_id=said.user_id,
            user_id=said.user_id,
            turns=(Turn(role="user", text=said.text),),
            emotion=said.emotion,
            intensity=said.intensity,
            variant=variant,
            deadline=now() + timedelta(seconds=PATIENCE),
        )

    async def _wait(self, row: ReplyRow) -> None:
        future = self._waiting.setdefault(row.request_id, asyncio.get_running_loop().create_future())
        await self.world.conversation.ask(ChatRequest.model_validate(row.request))
        try:
            await asyncio.wait_for(future, PATIENCE + 30)
        except TimeoutError:
            self.world.check()
            raise NoReply(f"request {row.request_id} was not answered within {PATIENCE:.0f} s") from None
        finally:
            self._waiting.pop(row.request_id, None)

    async def _read(self) -> None:
        replies = self.world.conversation.replies
        while True:
            claimed, spoiled = await replies.claim(CONSUMER, count=64, block=0.25)
            for entry in spoiled:
                await replies.bury(entry)
            if not claimed:
                continue
            async with self.world.database.unit() as unit:
                for delivery in claimed:
                    await _show(unit, delivery.message)
                await unit.commit()
            for delivery in claimed:
                await replies.ack(delivery.entry)
                future = self._waiting.get(delivery.message.request_id)
                if future is not None and not future.done():
                    future.set_result(None)


async def _show(unit: Unit, reply: ChatReply) -> None:
    """What delivery does between «sending» and «sent», with a Telegram that takes everything."""
    found = await unit.replies.lock_with_turn(reply.request_id)
    if found is None or found[0].delivery != "waiting":
        return
    row, turn = found
    unit.replies.answer(row, reply)
    row.delivery = "sent"
    if reply.state is ReplyState.DONE:
        messages = [message.message_id for message in await unit.inbox.of_turn(turn.id)]
        row.message_ids = turn.message_ids = [messages[-1] + 1]
        turn.shown = row.request_id
    if row.variant == 0:
        turn.state = "done" if reply.state is ReplyState.DONE else "failed"
