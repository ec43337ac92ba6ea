"""The HTTP session to a Bot API server. Does not know which bot uses it."""

from __future__ import annotations

from typing import Any

from aiogram import Bot
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
    SendDocument,
    SendMessage,
    SendPhoto,
    TelegramMethod,
)
from aiogram.methods.base import TelegramType

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

UPLOADS = (SendDocument, SendPhoto)
TIMEOUT, UPLOAD_TIMEOUT = 20, 60


class Session(AiohttpSession):
    """Keeps the shapes of frequent responses: pydantic forgets unheld ones, and making one anew takes 8 ms.

    Nobody waits for Telegram longer than `TIMEOUT` seconds: others may wait behind. Files may take longer.
    """

    def __init__(self, api_url: str) -> None:
        super().__init__(api=TelegramAPIServer.from_base(api_url), timeout=TIMEOUT)
        self._shapes = [Response[method.__returning__] for method in FREQUENT]  # type: ignore[name-defined]

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109  (as in the class above)
    ) -> TelegramType:
        """One request; `timeout` in seconds instead of the usual one."""
        if timeout is None and isinstance(method, UPLOADS):
            timeout = UPLOAD_TIMEOUT
        return await super().make_request(bot, method, timeout)
