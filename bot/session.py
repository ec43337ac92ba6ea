"""The HTTP session to a Bot API server. Does not know which bot uses it."""

from __future__ import annotations

from typing import Any

from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteMessage,
    EditMessageReplyMarkup,
    EditMessageText,
    GetChatMember,
    Response,
    SendChatAction,
    SendMessage,
    TelegramMethod,
)

from bot.updates import GetRawUpdates

FREQUENT: tuple[type[TelegramMethod[Any]], ...] = (
    AnswerCallbackQuery,
    DeleteMessage,
    EditMessageReplyMarkup,
    EditMessageText,
    GetChatMember,
    GetRawUpdates,
    SendChatAction,
    SendMessage,
)


class Session(AiohttpSession):
    """Keeps the shapes of frequent responses: pydantic forgets unheld ones, and making one anew takes 8 ms."""

    def __init__(self, api_url: str) -> None:
        super().__init__(api=TelegramAPIServer.from_base(api_url))
        self._shapes = [Response[method.__returning__] for method in FREQUENT]  # type: ignore[name-defined]
