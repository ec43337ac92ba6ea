"""Puts one reply on a person's screen: sends, edits, splits. Knows Telegram's refusals and nothing of storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
)
from aiogram.types import InlineKeyboardMarkup, ReplyParameters

from bot import keyboards
from bot.failures import UNREACHABLE, may_have_arrived, pause_after
from bot.keyboards import Answer, Marks
from bot.metrics import Metrics
from bot.split import split

log = structlog.get_logger(__name__)

TIMEOUT = 20

Keep = Callable[[list[int]], Awaitable[None]]


@dataclass(slots=True)
class Letter:
    """A reply to carry. `replaces`: the bot messages that it edits; `sent`: parts that are in the chat already."""

    chat_id: int
    request_id: str
    text: str
    replaces: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    reply_to: int | None = None
    note_id: int | None = None
    answer: Answer | None = None
    marks: Marks | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`wait`: not done, carry again after so many seconds (`doubtful`: it may be in the chat). Else the final state."""

    state: str = "sent"
    message_ids: list[int] = field(default_factory=list)
    wait: float | None = None
    doubtful: bool = False


class Courier:
    """Carries letters with a bot whose session does not wait by itself."""

    def __init__(self, bot: Bot, metrics: Metrics) -> None:
        self.bot = bot
        self.metrics = metrics

    async def carry(self, letter: Letter, keep: Keep | None = None) -> Outcome:
        """Try once to bring the whole letter; `keep` is told after each part but the last what is in the chat."""
        try:
            await self._carry(letter, keep)
        except TelegramRetryAfter as error:
            self.metrics.flood_waits.inc()
            log.info("telegram asks to wait", seconds=error.retry_after)
            return Outcome(wait=float(error.retry_after))
        except TelegramMigrateToChat as error:
            letter.chat_id = error.migrate_to_chat_id
            return Outcome(wait=0.0)
        except TelegramForbiddenError:
            return Outcome("blocked", letter.sent)
        except UNREACHABLE as error:
            letter.failures += 1
            log.warning("telegram unreachable", error=type(error).__name__, failures=letter.failures)
            return Outcome(wait=pause_after(letter.failures), doubtful=may_have_arrived(error))
        except TelegramAPIError as error:
            log.error("telegram refuses a reply", error=type(error).__name__, request_id=letter.request_id)
            return Outcome("refused", letter.sent)
        return Outcome("sent", letter.sent)

    async def _carry(self, letter: Letter, keep: Keep | None) -> None:
        parts = split(letter.text)
        while len(letter.sent) < len(parts):
            index = len(letter.sent)
            last = index == len(parts) - 1
            keyboard = keyboards.answer(letter.answer, letter.marks) if last and letter.answer else None
            message_id = letter.replaces[index] if index < len(letter.replaces) else None
            if message_id is None or not await self._edit(letter.chat_id, message_id, parts[index], keyboard):
                message_id = await self._send(letter, parts[index], keyboard, first=index == 0)
            letter.sent.append(message_id)
            if keep is not None and not last:
                await keep(list(letter.sent))
        for surplus in letter.replaces[len(parts) :]:
            with suppress(TelegramBadRequest):
                await self.bot.delete_message(letter.chat_id, surplus)

    async def _send(self, letter: Letter, text: str, keyboard: InlineKeyboardMarkup | None, *, first: bool) -> int:
        reply = None
        if letter.reply_to is not None and first:
            reply = ReplyParameters(message_id=letter.reply_to, allow_sending_without_reply=True)
        message = await self.bot.send_message(
            letter.chat_id,
            text,
            parse_mode=None,
            reply_markup=keyboard,
            reply_parameters=reply,
            request_timeout=TIMEOUT,
        )
        return message.message_id

    async def _edit(self, chat_id: int, message_id: int, text: str, keyboard: InlineKeyboardMarkup | None) -> bool:
        """False if the message is gone."""
        try:
            await self.bot.edit_message_text(
                text,
                chat_id=chat_id,
                message_id=message_id,
                parse_mode=None,
                reply_markup=keyboard,
                request_timeout=TIMEOUT,
            )
        except TelegramBadRequest as error:
            return "not modified" in error.message
        return True

    async def tidy(self, letter: Letter) -> None:
        """Remove the queue note; nothing is lost if that fails."""
        if letter.note_id is None:
            return
        with suppress(TelegramAPIError):
            await self.bot.delete_message(letter.chat_id, letter.note_id)
