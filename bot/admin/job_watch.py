"""Messages about refits that keep themselves current. Which message shows which job is kept in Redis, so a bot that
starts again finds them. Edits as seldom as Telegram wants it; a message that is gone is forgotten.
"""

from __future__ import annotations

import asyncio
import hashlib
import time

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramRetryAfter
from redis.asyncio import Redis

from bot.admin import screens
from bot.admin.job_view import render
from bot.catalogue import Catalogue
from bot.settings import BotSettings
from storage.database import Database
from storage.keys import Keys
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.repositories.jobs import WORKABLE

log = structlog.get_logger(__name__)

WATCHED = "admin-jobs"
MOST_CHATS = 64


class JobWatch:
    """One message per operator's chat shows a job; a newer one takes its place."""

    def __init__(
        self,
        bot: Bot,
        redis: Redis,
        keys: Keys,
        database: Database,
        board: LoopBoard,
        catalogue: Catalogue,
        settings: BotSettings,
    ) -> None:
        self.bot = bot
        self.redis = redis
        self.key = keys.fsm(WATCHED)
        self.database = database
        self.board = board
        self.catalogue = catalogue
        self.settings = settings
        # Whoever puts something else into a message must not be overtaken by an edit that is under way.
        self._editing = asyncio.Lock()
        self._shown: dict[int, str] = {}
        self._not_before: dict[int, float] = {}

    async def watch(self, chat_id: int, message_id: int, job_id: str) -> None:
        """From now on this message shows that job."""
        async with self._editing:
            self._shown.pop(chat_id, None)
            await self.redis.hset(self.key, str(chat_id), f"{message_id}:{job_id}")

    async def leave(self, chat_id: int, message_id: int) -> None:
        """This message shows something else now."""
        async with self._editing:
            await self._drop(chat_id, message_id)

    async def _drop(self, chat_id: int, message_id: int) -> None:
        raw = await self.redis.hget(self.key, str(chat_id))
        if raw is not None and str(raw).startswith(f"{message_id}:"):
            await self.redis.hdel(self.key, str(chat_id))

    async def tick(self) -> None:
        """One round over all messages."""
        watched = await self.redis.hgetall(self.key)
        for chat, place in list(watched.items())[:MOST_CHATS]:
            chat_id, (message, _, job_id) = int(chat), str(place).partition(":")
            if chat_id not in self.settings.admins:
                await self.redis.hdel(self.key, str(chat))
            elif time.monotonic() >= self._not_before.get(chat_id, 0.0):
                async with self._editing:
                    if await self.redis.hget(self.key, str(chat)) == place:
                        await self._refresh(chat_id, int(message), job_id)

    async def _refresh(self, chat_id: int, message_id: int, job_id: str) -> None:
        async with self.database.view() as unit:
            job = await unit.jobs.get(job_id)
        if job is None:
            await self._drop(chat_id, message_id)
            return
        try:
            there = await self._show(chat_id, message_id, job)
        except TelegramRetryAfter as error:
            self._not_before[chat_id] = time.monotonic() + error.retry_after
            return
        except TelegramAPIError as error:
            log.info("a job's message cannot be renewed", error=type(error).__name__)
            return
        if not there or job.state not in WORKABLE:
            await self._drop(chat_id, message_id)
            self._shown.pop(chat_id, None)

    async def _show(self, chat_id: int, message_id: int, job: JobRow) -> bool:
        event = await self.board.event(job.job_id)
        screen = render(job, event, self.catalogue.current, chat_id)
        looks = _digest(message_id, screen)
        if self._shown.get(chat_id) == looks:
            return True
        self._not_before[chat_id] = time.monotonic() + self.settings.admin_edit_seconds
        there = await screens.edit(self.bot, chat_id, message_id, screen)
        self._shown[chat_id] = looks
        return there


def _digest(message_id: int, screen: screens.Screen) -> str:
    text, _ = screen.text.render()
    keyboard = screen.keyboard.model_dump_json() if screen.keyboard else ""
    return hashlib.blake2b(f"{message_id}\n{text}\n{keyboard}".encode(), digest_size=8).hexdigest()
