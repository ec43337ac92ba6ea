"""What handlers say in answer to an update is said once, also when a killed process makes Telegram repeat the update.

Each is marked in Redis under its update, before and after it is sent. At most `BOT_PARALLEL_SENDS` texts and replies
together (`gate.py`) are between Telegram's acceptance and their mark; files, which may take long, are not counted. Does
not know who says what, but that cards with telephone numbers are urgent.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import Response, SendDocument, SendMessage, SendPhoto, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Chat, Message
from redis.asyncio import Redis

from bot import texts
from bot.failures import away, insist, may_have_arrived
from bot.gate import Gate, Line
from bot.metrics import Metrics
from storage.contracts import now
from storage.database import Database
from storage.keys import Keys
from storage.repositories.counters import POSSIBLE_DUPLICATES

log = structlog.get_logger(__name__)

REMEMBER = 86400
DONE = "done"
UNSURE = 0
BRIEFLY = 2.0
SAYING = (SendMessage, SendDocument, SendPhoto)


@dataclass(slots=True)
class Answered:
    """An update: what was said to it (name of the text → its message's number, `UNSURE`: perhaps sent), and whether
    everything was done. `reachable`: Redis takes marks now. `urgent`: a card with telephone numbers is to be said."""

    key: str
    said: dict[str, int] = field(default_factory=dict)
    done: bool = False
    reachable: bool = True
    urgent: bool = False
    _times: Counter[str] = field(default_factory=Counter)

    def name(self, method: TelegramMethod[Any]) -> str:
        """What the text is known by. Its numbers do not count: seconds that are left differ the next time."""
        words = getattr(method, "text", None) or getattr(method, "caption", None) or ""
        letters = "".join(filter(str.isalpha, str(words)))
        what = f"{type(method).__name__} {getattr(method, 'chat_id', 0)} {letters}"
        digest = hashlib.blake2b(what.encode(), digest_size=9).hexdigest()
        return f"{digest}-{self._times[digest]}"

    def told(self, name: str, message_id: int) -> None:
        """The text is in the chat; the same words after it are another text."""
        self.said[name] = message_id
        self._times[name.partition("-")[0]] += 1

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Handlers run, perhaps not for the first time: what they say now belongs to this update."""
        self._times.clear()
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[Answered | None] = ContextVar("answered", default=None)


class Sayings(BaseRequestMiddleware):
    """Middleware of the handlers' bot. Inside of whatever waits for Telegram, so that the gate is free meanwhile."""

    def __init__(self, redis: Redis, keys: Keys, gate: Gate, database: Database, metrics: Metrics) -> None:
        self.redis = redis
        self.keys = keys
        self.gate = gate
        self.database = database
        self.metrics = metrics

    async def recall(self, bot_id: int, number: int, *, urgent: bool) -> Answered:
        """What is known of an update. `urgent`: a Redis that is away knows nothing; otherwise wait for it."""
        answered = Answered(self.keys.handled(bot_id, number), urgent=urgent)
        if urgent:
            await self._try(answered, self._read)
        else:
            await insist("handled?", self._read, answered)
        return answered

    async def look_again(self, answered: Answered) -> None:
        """Before another try: a Redis that was away may be back."""
        if not answered.reachable:
            answered.reachable = True
            await self._try(answered, self._read)

    async def finish(self, answered: Answered) -> None:
        """Everything was done: the update has no effect any more."""
        answered.done = True
        await self._write(answered)

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        """Hand a request on; a text that was said to this update before is not said again."""
        answered = _CURRENT.get()
        if answered is None or answered.done or not isinstance(method, SAYING):
            return await make_request(bot, method)
        name = answered.name(method)
        known = answered.said.get(name)
        if known:
            answered.told(name, known)
            return self._as_it_was(bot, method, known)  # type: ignore[return-value]
        if not isinstance(method, SendMessage):
            return await self._say(make_request, bot, method, answered, name)
        line = Line.CARDS if method.text == texts.CRISIS else Line.SAYINGS
        async with self.gate.passing(line):
            return await self._say(make_request, bot, method, answered, name)

    async def _say(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
        answered: Answered,
        name: str,
    ) -> Response[TelegramType]:
        if name in answered.said:
            # Here and not before the gate: a process killed while this waits there has said nothing again.
            log.warning("said perhaps before, saying again")
            self.metrics.doubtful.inc()
            await insist("count", self._count)
        answered.said[name] = UNSURE
        await self._try(answered, self._write)
        try:
            message = await make_request(bot, method)
        except TelegramAPIError as error:
            if not may_have_arrived(error):
                del answered.said[name]
                await self._try(answered, self._drop, name)
            raise
        answered.told(name, message.message_id)  # type: ignore[attr-defined]
        await self._try(answered, self._write)
        return message

    @staticmethod
    def _as_it_was(bot: Bot, method: SendMessage | SendDocument | SendPhoto, message_id: int) -> Message:
        """What is still known of a message that is in the chat: its number."""
        chat = Chat(id=int(method.chat_id), type=ChatType.PRIVATE if int(method.chat_id) > 0 else ChatType.GROUP)
        return Message(message_id=message_id, date=now(), chat=chat).as_(bot)

    async def _try(self, answered: Answered, work: Any, *more: str) -> None:
        """Once; where a card with telephone numbers is to be said for `BRIEFLY` seconds. `finish` makes up for it."""
        if not answered.reachable:
            return
        try:
            async with asyncio.timeout(BRIEFLY if answered.urgent else None):
                await work(answered, *more)
        except Exception as error:
            if not away(error) and not isinstance(error, TimeoutError):
                raise
            answered.reachable = False
            log.warning("marks wait", error=type(error).__name__)

    async def _read(self, answered: Answered) -> None:
        found = await self.redis.hgetall(answered.key)
        answered.done = found.pop(DONE, None) is not None
        # What this process has said itself it knows better.
        answered.said = {str(name): int(message_id) for name, message_id in found.items()} | answered.said

    async def _write(self, answered: Answered) -> None:
        fields: dict[Any, Any] = answered.said | ({DONE: 1} if answered.done else {})
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.hset(answered.key, mapping=fields)
            pipe.expire(answered.key, REMEMBER)
            await pipe.execute()

    async def _drop(self, answered: Answered, name: str) -> None:
        await self.redis.hdel(answered.key, name)

    async def _count(self) -> None:
        async with self.database.unit() as unit:
            await unit.counters.add(POSSIBLE_DUPLICATES)
            await unit.commit()
