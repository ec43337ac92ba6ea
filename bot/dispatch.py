"""The order of the handlers, in one visible place. The first that fits handles an update; errors come last."""

from __future__ import annotations

from aiogram import Dispatcher

from bot.handlers import chat, errors, start
from bot.services import Services


def dispatcher(services: Services) -> Dispatcher:
    """A fresh dispatcher with all handlers."""
    root = Dispatcher(disable_fsm=True, **services.arguments())
    root.include_routers(
        start.router(),
        chat.router(),
        errors.router(),
    )
    return root
