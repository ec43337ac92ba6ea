"""Ask the workers and wait for the answer in the same process: for HTTP clients, replays, anything with a caller.

Every asking process has a reply stream of its own (its route) that disappears with it. Nothing is stored in SQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError
from redis.exceptions import RedisError

from storage.contracts import ChatReply, ChatRequest, now
from storage.conversation import Conversation
from storage.queue import flatten

log = structlog.get_logger(__name__)

GRACE = 5.0
AT_ONCE = 200


class NoAnswer(Exception):
    """Nobody answered a request before its deadline: no worker runs, or all are too busy."""


@dataclass(frozen=True)
class Asked:
    """A request that was queued, and the place of its reply."""

    line: DirectLine
    request: ChatRequest
    future: asyncio.Future[ChatReply]

    async def reply(self) -> ChatReply:
        """Wait for it. NoAnswer after the deadline; a caller that is cancelled takes the request back."""
        left = (self.request.deadline - now()).total_seconds()
        try:
            return await asyncio.wait_for(self.future, max(0.0, left) + GRACE)
        except TimeoutError:
            await self.line.take_back(self.request.request_id)
            raise NoAnswer(f"request {self.request.request_id} was not answered before its deadline") from None
        except asyncio.CancelledError:
            await asyncio.shield(self.line.take_back(self.request.request_id))
            raise
        finally:
            self.line.forget(self.request.request_id)

    async def give_up(self) -> None:
        """Do not wait: the request is taken back, unless it has been answered."""
        if not self.future.done():
            await self.line.take_back(self.request.request_id)
        self.line.forget(self.request.request_id)


class DirectLine:
    """Requests with a caller who waits. Use `running()` around it: it reads the replies of this process."""

    def __init__(self, conversation: Conversation, name: str = "direct") -> None:
        self.conversation = conversation
        self.route = f"{name}-{secrets.token_hex(8)}"
        self.stream = conversation.keys.replies(self.route)
        self._waiting: dict[str, asyncio.Future[ChatReply]] = {}
        self._open = True

    @property
    def waiting(self) -> int:
        """Callers that wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[DirectLine]:
        """Replies are read while this is open; callers that still wait at its end get CancelledError."""
        reader = asyncio.create_task(self._read())
        try:
            yield self
        finally:
            self._open = False
            await _end(reader)
            for future in self._waiting.values():
                future.cancel()
            with contextlib.suppress(RedisError, OSError):
                await self.conversation.redis.delete(self.stream)

    async def ask(self, request: ChatRequest) -> ChatReply:
        """The reply to a request. QueueFull: too many wait; NoAnswer: its deadline has passed and nobody answered.

        A caller that is cancelled takes the request back.
        """
        return await (await self.begin(request)).reply()

    async def begin(self, request: ChatRequest) -> Asked:
        """Queue a request, to wait for its reply later; QueueFull. Whoever does not want to wait must `give_up`."""
        asked = request.model_copy(update={"route": self.route})
        future: asyncio.Future[ChatReply] = asyncio.get_running_loop().create_future()
        self._waiting[asked.request_id] = future
        try:
            await self.conversation.ask(asked)
        except asyncio.CancelledError:
            # It may stand in the queue already, only the server's word that it does was still on its way.
            self._waiting.pop(asked.request_id, None)
            await asyncio.shield(self.take_back(asked.request_id))
            raise
        except BaseException:
            self._waiting.pop(asked.request_id, None)
            raise
        return Asked(self, asked, future)

    def forget(self, request_id: str) -> None:
        """Nobody waits for this reply any more."""
        self._waiting.pop(request_id, None)

    async def take_back(self, request_id: str) -> None:
        """Tell the workers that nobody wants the answer any more."""
        with contextlib.suppress(RedisError, OSError):
            await self.conversation.cancel(request_id)

    async def _read(self) -> None:
        """Hand every reply to whoever waits for it; survives an absent Redis."""
        last = "0-0"
        while self._open:
            try:
                entries = await self._next(last)
            except (RedisError, OSError) as error:
                log.warning("replies cannot be read", error=type(error).__name__)
                await asyncio.sleep(0.5)
                continue
            if entries:
                last = entries[-1][0]
                await self._drop([entry for entry, _ in entries])
            for _, fields in entries:
                self._hand_over(fields.get("data", ""))

    async def _next(self, last: str) -> list[tuple[str, dict[str, str]]]:
        answer: Any = await self.conversation.redis.xread({self.stream: last}, count=AT_ONCE, block=1000)
        pairs = answer.items() if isinstance(answer, dict) else (answer or [])
        return [row for _, chunk in pairs for row in flatten(chunk)]

    async def _drop(self, entries: list[str]) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self.conversation.redis.xdel(self.stream, *entries)

    def _hand_over(self, payload: str) -> None:
        try:
            reply = ChatReply.model_validate_json(payload)
        except ValidationError:
            log.error("a reply cannot be read", route=self.route)
            return
        future = self._waiting.get(reply.request_id)
        if future is not None and not future.done():
            future.set_result(reply)


async def _end(task: asyncio.Task[None]) -> None:
    """A Redis client that is cut short in the middle of a command may keep a cancellation to itself: ask again."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.2)
