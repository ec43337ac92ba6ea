"""/stats, for operators; for everybody else there is no such command."""

from __future__ import annotations

from aiogram import Router
from aiogram.enums import ChatType
from aiogram.filters import Command
from aiogram.types import Message

from bot import texts
from bot.settings import BotSettings
from storage.conversation import Conversation
from storage.database import Database
from storage.presets import Presets
from storage.repositories.counters import POSSIBLE_DUPLICATES


def router() -> Router:
    """Fresh router."""
    stats = Router(name="stats")
    stats.message.register(show, Command("stats"), _is_admin)
    return stats


def _is_admin(message: Message, settings: BotSettings) -> bool:
    private = message.chat.type == ChatType.PRIVATE
    return private and message.from_user is not None and message.from_user.id in settings.admins


async def show(message: Message, database: Database, conversation: Conversation, presets: Presets) -> None:
    """Numbers only, nothing of anybody's dialogue."""
    async with database.view() as unit:
        people, chats = await unit.counters.people(), await unit.counters.chats()
        agreed = len(await unit.people.consenting())
        states = await unit.replies.by_state()
        fits = await unit.replies.fit_by_emotion()
        up, down = await unit.counters.thumbs()
        doubtful = await unit.counters.get(POSSIBLE_DUPLICATES)
    titles = {preset.id: preset.title for preset in presets.presets}
    lines = [f"• {titles.get(emotion, emotion)}: {share:.0%} из {n}" for emotion, (n, share) in sorted(fits.items())]
    await message.answer(
        texts.STATS.format(
            people=people,
            agreed=agreed,
            chats=chats,
            states=", ".join(f"{state} {count}" for state, count in sorted(states.items())) or "—",
            fits="\n".join(lines) or "—",
            up=up,
            down=down,
            doubtful=doubtful,
            queue=await conversation.requests.outstanding(),
            workers=await conversation.workers(),
        )
    )
