"""Finds the answer that a bot message shows, for buttons, reactions and corrections. The rest is forged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiogram.types import InlineKeyboardMarkup

from bot import keyboards
from bot.catalogue import Catalogue
from bot.settings import BotSettings
from storage.database import Database, Unit
from storage.ratings import RatingBook
from storage.tables import ReplyRow, TurnRow

MARK_TRIES = 60
MARK_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """An answer on a screen: `request_id` is the variant meant, `variants` all variants of its revision, in order."""

    chat_id: int
    message_id: int
    message_ids: tuple[int, ...]
    turn_id: int
    request_id: str
    variants: tuple[str, ...]
    texts: tuple[str, ...]
    more: bool
    chosen: str

    @property
    def place(self) -> int:
        """Index of the answer among its variants."""
        return self.variants.index(self.request_id)

    def answer(self) -> keyboards.Answer:
        """For the keyboard."""
        return keyboards.Answer(self.request_id, self.place + 1, len(self.variants), self.more, self.chosen)


class Answers:
    """Looks answers up; bound to what SQL knows of the chat and the message, so that forged data finds nothing."""

    def __init__(self, database: Database, book: RatingBook, catalogue: Catalogue, settings: BotSettings) -> None:
        self.database = database
        self.book = book
        self.catalogue = catalogue
        self.settings = settings

    async def by_button(self, chat_id: int, message_id: int, request_id: str) -> Found | None:
        """The answer that a button of this message speaks of.

        A quick thumb can press before the reply is marked as sent; that mark is waited for.
        """
        for _ in range(MARK_TRIES):
            async with self.database.view() as unit:
                row = await unit.replies.get(request_id)
                turn = await unit.turns.get(row.turn_id) if row else None
                if row is None or turn is None or turn.chat_id != chat_id:
                    return None
                if row.delivery != "sending":
                    return await self._found(unit, turn, row.request_id) if message_id in turn.message_ids else None
            await asyncio.sleep(MARK_PAUSE)
        return None

    async def by_message(self, chat_id: int, message_id: int) -> Found | None:
        """The answer that this message shows now."""
        for _ in range(MARK_TRIES):
            async with self.database.view() as unit:
                turn = await unit.turns.by_message(chat_id, message_id)
                if turn is not None and turn.shown is not None:
                    return await self._found(unit, turn, turn.shown)
                if all(row.delivery != "sending" for row in await unit.replies.in_flight(chat_id)):
                    return None
            await asyncio.sleep(MARK_PAUSE)
        return None

    async def _found(self, unit: Unit, turn: TurnRow, request_id: str) -> Found | None:
        variants = list(await unit.replies.variants(turn.id, turn.revision))
        shown = next((row for row in variants if row.request_id == request_id), None)
        if shown is None:
            return None
        return Found(
            chat_id=turn.chat_id,
            message_id=turn.message_ids[-1],
            message_ids=tuple(turn.message_ids),
            turn_id=turn.id,
            request_id=request_id,
            variants=tuple(row.request_id for row in variants),
            texts=tuple(row.text for row in variants),
            more=_top(variants) + 1 < self.settings.max_variants,
            chosen=chosen(variants[0], shown, self.catalogue),
        )

    async def keyboard(self, found: Found) -> InlineKeyboardMarkup:
        """The answer's keyboard with what people said of it."""
        return keyboards.answer(found.answer(), await self.marks(found))

    async def marks(self, found: Found) -> keyboards.Marks:
        """What people said of the answer."""
        ratings = await self.book.of_answer(found.chat_id, found.message_id, found.request_id)
        return keyboards.marks(ratings, found.request_id, private=found.chat_id > 0)


def chosen(first: ReplyRow, shown: ReplyRow, catalogue: Catalogue) -> str:
    """The emotion that «авто» chose for a turn's `first` answer, as people know it; empty where a person had chosen.

    Other variants are asked for in the first one's emotion; `shown` is the one on the screen.
    """
    if (first.request or {}).get("emotion") != catalogue.current.auto.id:
        return ""
    preset = catalogue.get(shown.emotion)
    return f"{preset.emoji} {preset.title}" if preset else ""


def _top(variants: list[ReplyRow]) -> int:
    return max(row.variant for row in variants)
