"""Writes to every operator what changed in the loop, once a change: also after a restart, also when several bots run.

Which changes were told is kept in Redis: a change is done when every operator has its message, or cannot get one. Only
a process that dies between Telegram's acceptance and the mark may tell twice. Does not know what is worth telling.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import BufferedInputFile
from redis.asyncio import Redis

from bot.admin import letters, screens
from bot.admin.letters import Letter
from bot.admin.screens import CAPTION_LIMIT, fits
from bot.catalogue import Catalogue
from bot.settings import BotSettings
from storage.database import Database
from storage.keys import Keys
from storage.loop_board import LoopBoard
from storage.repositories.loop_news import LoopNews

log = structlog.get_logger(__name__)

# A change may become visible behind its successors, by no more than so many; more numbers are remembered.
LATE = 50
REMEMBER = 300
AT_ONCE = 50
WEEK = 7 * 86400
TURN = 60
# Whoever holds the turn gives it back; the check keeps it from giving back another's.
RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

Write = Callable[[int], Letter | None]


class Notices:
    """One round looks for changes and writes letters."""

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
        self.keys = keys
        self.database = database
        self.board = board
        self.catalogue = catalogue
        self.admins = settings.admins
        self.mark = secrets.token_hex(8)
        self._release = redis.register_script(RELEASE)

    async def tick(self) -> None:
        """One round, unless another process has the turn."""
        if not self.admins:
            return
        turn = self.keys.fsm("admin-news", "turn")
        if not await self.redis.set(turn, self.mark, nx=True, ex=TURN):
            return
        try:
            await self._round()
        finally:
            await self._release(keys=[turn], args=[self.mark])

    async def _round(self) -> None:
        jobs, slots = self.keys.fsm("admin-news", "jobs"), self.keys.fsm("admin-news", "slots")
        if not await self.redis.exists(jobs):
            await self._begin(jobs, slots)
            return
        presets = self.catalogue.current
        old_jobs, old_slots = await self._known(jobs), await self._known(slots)
        async with self.database.view() as unit:
            news = LoopNews(unit.session)
            of_jobs = [
                (change, job, await news.before(change))
                for change, job in await news.jobs(max(old_jobs) - LATE, LATE + AT_ONCE)
                if change.id not in old_jobs
            ]
            of_slots = await news.slots(max(old_slots) - LATE, LATE + AT_ONCE)
        for change, job, before in of_jobs:
            await self._tell(jobs, change.id, partial(letters.of_job, change, job, presets, before))
        for moved in of_slots:
            if moved.id not in old_slots:
                await self._tell(slots, moved.id, partial(letters.of_slot, moved, presets))

    async def _begin(self, jobs: str, slots: str) -> None:
        """The first bot of an installation tells nothing of what was before it."""
        async with self.database.view() as unit:
            old_jobs, old_slots = await LoopNews(unit.session).newest(REMEMBER)
        await self.redis.zadd(slots, {str(number): number for number in [0, *old_slots]})
        await self.redis.zadd(jobs, {str(number): number for number in [0, *old_jobs]})

    async def _known(self, key: str) -> set[int]:
        return {int(str(number)) for number in await self.redis.zrange(key, 0, -1)} or {0}

    async def _tell(self, key: str, number: int, write: Write) -> None:
        told = f"{key}:{number}"
        for admin in self.admins:
            if await self.redis.sismember(told, str(admin)):
                continue
            letter = write(admin)
            if letter is not None and letter.but_not != admin:
                await self._send(admin, letter)
            await self.redis.sadd(told, str(admin))
            await self.redis.expire(told, WEEK)
        await self.redis.zadd(key, {str(number): number})
        await self.redis.zremrangebyrank(key, 0, -REMEMBER - 1)
        await self.redis.delete(told)

    async def _send(self, admin: int, letter: Letter) -> None:
        """An operator who cannot be written to misses it; an absent Telegram is tried again, with the whole round."""
        picture = await self.board.picture(letter.picture) if letter.picture else None
        try:
            if picture is None:
                await screens.send(self.bot, admin, letter.screen)
                return
            await self.bot.send_photo(
                admin,
                BufferedInputFile(picture, "refit.png"),
                reply_markup=letter.screen.keyboard,
                **fits(letter.screen.text, CAPTION_LIMIT).as_caption_kwargs(replace_parse_mode=True),
            )
        except (TelegramForbiddenError, TelegramBadRequest) as error:
            log.info("an operator cannot be told", admin=admin, error=type(error).__name__)
