"""Requests of handlers wait as long as Telegram asks. Not for delivery, which frees its place while it waits."""

from __future__ import annotations

import asyncio

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType

from bot.metrics import Metrics

TRIES = 5


class Patience(BaseRequestMiddleware):
    """Tries again after `retry_after`, a few times. Only the chat that asked waits."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        """One request, repeated while Telegram says «later»."""
        for _ in range(TRIES - 1):
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as error:
                self.metrics.flood_waits.inc()
                await asyncio.sleep(error.retry_after)
        return await make_request(bot, method)
