"""What handlers may ask for by argument name; filled by the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiogram.types import User

from bot.admin.deeds import Deeds
from bot.admin.drafts import Drafts
from bot.admin.job_watch import JobWatch
from bot.admin.preset_deeds import PresetDeeds
from bot.admin.replays import Replays
from bot.albums import Albums
from bot.answers import Answers
from bot.catalogue import Catalogue
from bot.courier import Courier
from bot.drain import Drain
from bot.limiter import Limiter
from bot.metrics import Metrics
from bot.pace import Pace
from bot.refusals import Refusals
from bot.settings import BotSettings
from bot.supervision import Supervisor
from bot.turns import Turns
from bot.waiting import Waiting
from storage.conversation import Conversation
from storage.database import Database
from storage.loop_board import LoopBoard
from storage.ratings import RatingBook


@dataclass(frozen=True, slots=True)
class Services:
    """One field per argument name of the handlers. `me` is the bot's own account."""

    database: Database
    conversation: Conversation
    book: RatingBook
    turns: Turns
    settings: BotSettings
    limiter: Limiter
    pace: Pace
    waiting: Waiting
    refusals: Refusals
    albums: Albums
    metrics: Metrics
    answers: Answers
    courier: Courier
    board: LoopBoard
    catalogue: Catalogue
    deeds: Deeds
    job_watch: JobWatch
    replays: Replays
    drafts: Drafts
    preset_deeds: PresetDeeds
    drain: Drain
    supervisor: Supervisor
    me: User

    def arguments(self) -> dict[str, Any]:
        """As the dispatcher's workflow data."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}
