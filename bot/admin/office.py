"""Makes and runs what serves operators: the composition root's helper for everything in `bot/admin/`."""

from __future__ import annotations

from dataclasses import dataclass

from aiogram import Bot

from bot.admin.deeds import Deeds
from bot.admin.drafts import Drafts
from bot.admin.job_watch import JobWatch
from bot.admin.notices import Notices
from bot.admin.preset_deeds import PresetDeeds
from bot.admin.replays import Replays
from bot.catalogue import Catalogue
from bot.drain import Drain
from bot.settings import BotSettings
from bot.supervision import Supervisor
from storage.conversation import Conversation
from storage.database import Database
from storage.direct import DirectLine
from storage.loop_board import LoopBoard
from storage.registry import Registry
from storage.settings import StorageSettings

LOOK = 1.0
REFRESH = 2.0


@dataclass(frozen=True, slots=True)
class Office:
    """What handlers and loops of operators need."""

    database: Database
    board: LoopBoard
    catalogue: Catalogue
    deeds: Deeds
    job_watch: JobWatch
    notices: Notices
    replays: Replays
    drafts: Drafts
    preset_deeds: PresetDeeds
    drain: Drain
    every: float

    def run(self, supervisor: Supervisor) -> None:
        """Start its loops."""

        async def follow_jobs() -> None:
            await supervisor.rest(self.every)
            await self.job_watch.tick()

        async def follow_presets() -> None:
            await supervisor.rest(REFRESH)
            await self.catalogue.refresh(self.database)

        async def tell_news() -> None:
            await supervisor.rest(self.every)
            await self.notices.tick()

        async def follow_drain() -> None:
            await supervisor.rest(LOOK)
            await self.drain.look()

        supervisor.loop("drain", follow_drain)
        supervisor.loop("refits", follow_jobs)
        supervisor.loop("news", tell_news)
        supervisor.loop("presets", follow_presets)


def furnish(
    bot: Bot,
    conversation: Conversation,
    database: Database,
    catalogue: Catalogue,
    settings: BotSettings,
    storage: StorageSettings,
) -> Office:
    """Everything of the operators' end. `bot` must not wait by itself when Telegram says «later»."""
    redis, keys = conversation.redis, conversation.keys
    board = LoopBoard(redis, storage)
    registry = Registry(database, board, storage)
    return Office(
        database=database,
        board=board,
        catalogue=catalogue,
        deeds=Deeds(database, registry),
        job_watch=JobWatch(bot, redis, keys, database, board, catalogue, settings),
        notices=Notices(bot, redis, keys, database, board, catalogue, settings),
        replays=Replays(redis, keys, DirectLine(conversation, "admin")),
        drafts=Drafts(redis, keys),
        preset_deeds=PresetDeeds(database, registry, catalogue),
        drain=Drain(redis, keys, board),
        every=min(LOOK, settings.admin_edit_seconds),
    )
