"""Who may do what an operator may: asked for every message and every button, by id, in the operator's private chat.

Whoever is refused learns nothing of there being anything; the attempt is written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiogram.enums import ChatType
from aiogram.filters import Filter
from aiogram.types import CallbackQuery, Message

from bot.admin.callbacks import MARK
from bot.limiter import Limiter
from bot.settings import BotSettings
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Admin:
    """An operator whose right was just checked. Private chats have their person's id."""

    id: int


def refusal(query: CallbackQuery, admins: tuple[int, ...]) -> str | None:
    """Why a tap on an operator's button is not allowed; None if it is."""
    if query.from_user.id not in admins:
        return "not_admin"
    if query.message is None:
        return "no_message"
    if query.message.chat.type != ChatType.PRIVATE or query.message.chat.id != query.from_user.id:
        return "not_private"
    if (query.data or "").split(":")[1:2] != [str(query.from_user.id)]:
        return "not_theirs"
    return None


class ByButton(Filter):
    """An operator's tap on a button of their own; gives the handler `admin`."""

    async def __call__(self, query: CallbackQuery, settings: BotSettings) -> bool | dict[str, Any]:
        if not (query.data or "").startswith(MARK) or refusal(query, settings.admins) is not None:
            return False
        return {"admin": Admin(query.from_user.id)}


class ByMessage(Filter):
    """An operator's message; gives the handler `admin`. `anywhere`: in groups too."""

    def __init__(self, *, anywhere: bool = False) -> None:
        self.anywhere = anywhere

    async def __call__(self, message: Message, settings: BotSettings) -> bool | dict[str, Any]:
        user = message.from_user
        if user is None or user.id not in settings.admins or message.sender_chat is not None:
            return False
        private = message.chat.type == ChatType.PRIVATE and message.chat.id == user.id
        return {"admin": Admin(user.id)} if private or self.anywhere else False


async def note_refusal(database: Database, limiter: Limiter, user_id: int, mark: str, action: str, why: str) -> None:
    """Write an attempt down; nobody can fill the table faster than they may write messages."""
    if not (await limiter.check(user_id, mark)).allowed:
        return
    async with database.unit() as unit:
        unit.audit.write(user_id, action[:32], allowed=False, why=why)
        await unit.commit()
