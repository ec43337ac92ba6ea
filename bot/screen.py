"""Changing what a button's message shows, without minding that it shows it already or is gone."""

from __future__ import annotations

from contextlib import suppress

from aiogram.exceptions import TelegramBadRequest
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message


async def change(query: CallbackQuery, text: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    """Replace the text and the keyboard of the message under which the button is."""
    if isinstance(query.message, Message):
        with suppress(TelegramBadRequest):
            await query.message.edit_text(text, reply_markup=keyboard)


async def rekey(query: CallbackQuery, keyboard: InlineKeyboardMarkup) -> None:
    """Replace the keyboard only."""
    if isinstance(query.message, Message):
        with suppress(TelegramBadRequest):
            await query.message.edit_reply_markup(reply_markup=keyboard)


async def say(query: CallbackQuery, text: str, *, alert: bool = False) -> None:
    """Answer the tap; one that is too old to be answered is not an error."""
    with suppress(TelegramBadRequest):
        await query.answer(text, show_alert=alert)
