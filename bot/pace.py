"""How fast a person may press buttons, send commands and what is not text. Wider than the budget of messages, which
cost an answer of the model; crisis messages and operators' panels never come here. What concerns a person's own data
has a budget of its own: whoever hammers elsewhere can still be given or rid of it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Router
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject

from bot import texts
from bot.limiter import Limiter, Verdict
from bot.screen import say

OWN_DATA = {"own_data": True}

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


async def refuse(message: Message, verdict: Verdict) -> None:
    """Tell a person in a hurry to wait, once per window."""
    if not verdict.told:
        await message.reply(texts.TOO_OFTEN.format(seconds=max(1, math.ceil(verdict.wait))))


class Pace(BaseMiddleware):
    """Around handlers that somebody has been found for; those with the flag of `OWN_DATA` count apart."""

    def __init__(self, ordinary: Limiter, own_data: Limiter) -> None:
        self.ordinary = ordinary
        self.own_data = own_data

    def keep(self, *routers: Router) -> tuple[Router, ...]:
        """The same routers, their messages and buttons counted from now on."""
        for router in routers:
            router.message.middleware(self)
            router.callback_query.middleware(self)
        return routers

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        """Hand the update on, or tell the person: of a message once per window, of a tap every time."""
        limiter = self.own_data if get_flag(data, "own_data") else self.ordinary
        if isinstance(event, CallbackQuery):
            if not (await limiter.check(event.from_user.id, f"cb-{event.id}")).allowed:
                await say(event, texts.TOO_OFTEN_BUTTON, alert=True)
                return None
        elif isinstance(event, Message) and event.from_user is not None:
            verdict = await limiter.check(event.from_user.id, f"{event.chat.id}:{event.message_id}")
            if not verdict.allowed:
                await refuse(event, verdict)
                return None
        return await handler(event, data)
