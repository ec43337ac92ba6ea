"""Long polling of our own: an update is confirmed only after it was handled. Does not know what handling is."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import TelegramMethod
from pydantic import Field

from bot.intake import ALLOWED, Intake, update_number
from bot.supervision import Supervisor

log = structlog.get_logger(__name__)

BREATH = 0.05
STUCK = 0.25


class GetRawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """`getUpdates` without parsing, so that one malformed update does not hide the others."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int = 100
    timeout: int = 0
    allowed_updates: list[str] = Field(default_factory=lambda: list(ALLOWED))


class Poller:
    """Asks Telegram for updates. The offset never passes an update that is not finished."""

    def __init__(self, bot: Bot, intake: Intake, supervisor: Supervisor, *, timeout: int = 25) -> None:
        self.bot = bot
        self.intake = intake
        self.supervisor = supervisor
        self.timeout = timeout
        self._open: dict[int, asyncio.Future[bool]] = {}
        self._known: set[int] = set()
        self._next: int | None = None

    @property
    def offset(self) -> int | None:
        """The oldest unfinished update, or the one after the newest finished."""
        return min(self._open) if self._open else self._next

    async def run(self) -> None:
        """Poll until stopped; errors come out, the caller calls again."""
        while not self.supervisor.stopping.is_set():
            await self.step()

    async def step(self) -> None:
        """One request to Telegram, and a breath for what it brought."""
        updates = await self._ask()
        if updates is None:
            return
        offset = self.offset
        fresh = [raw for raw in updates if self._is_fresh(raw)]
        for raw in fresh:
            self._take(raw)
        self._known = {number for number in self._known if offset is None or number >= offset}
        if self._open:
            await asyncio.wait(set(self._open.values()), timeout=BREATH if fresh else STUCK)

    def _is_fresh(self, raw: dict[str, Any]) -> bool:
        number = update_number(raw)
        return number is not None and number not in self._known

    def _take(self, raw: dict[str, Any]) -> None:
        number = raw["update_id"]
        self._known.add(number)
        self._next = max(self._next or 0, number + 1)
        future = self.intake.accept(raw)
        self._open[number] = future
        future.add_done_callback(lambda done: self._close(number, done))

    def _close(self, number: int, done: asyncio.Future[bool]) -> None:
        if not done.cancelled() and done.result():
            self._open.pop(number, None)

    async def _ask(self) -> list[dict[str, Any]] | None:
        """The updates, or None when the process is told to stop meanwhile."""
        method = GetRawUpdates(offset=self.offset, timeout=self.timeout)
        asking = self.supervisor.spawn("getUpdates", self._request(method))
        stopping = self.supervisor.spawn("stopping", self.supervisor.stopping.wait())
        await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not asking.done():
            asking.cancel()
            return None
        result: list[dict[str, Any]] | None = asking.result()
        if result is None:
            await self.supervisor.rest(1.0)
        return result

    async def _request(self, method: GetRawUpdates) -> list[dict[str, Any]]:
        try:
            return await self.bot(method, request_timeout=method.timeout + 15)
        except TelegramRetryAfter as error:
            await self.supervisor.rest(error.retry_after)
            return []

    async def confirm(self) -> None:
        """At the end: tell Telegram what was finished, so that the next process does not get it again."""
        if self._next is not None:
            await self.bot(GetRawUpdates(offset=self.offset, limit=1, timeout=0), request_timeout=3)
