"""The order of the handlers, in one visible place. The first that fits handles an update; errors come last."""

from __future__ import annotations

from aiogram import Dispatcher

from bot.catalogue import Newest
from bot.handlers import (
    admin,
    admin_adapters,
    admin_audit,
    admin_jobs,
    admin_presets,
    admin_why,
    chat,
    crisis,
    dialogue,
    edits,
    errors,
    leftovers,
    membership,
    own_data,
    persona_text,
    ratings,
    settings,
    start,
    stats,
    variants,
)
from bot.services import Services


def dispatcher(services: Services) -> Dispatcher:
    """A fresh dispatcher with all handlers."""
    root = Dispatcher(disable_fsm=True, **services.arguments())
    root.update.outer_middleware(Newest(services.catalogue))
    keep = services.pace.keep
    root.include_routers(
        crisis.router(),
        admin.router(),
        admin_jobs.router(),
        admin_adapters.router(),
        admin_why.router(),
        admin_presets.router(),
        admin_audit.router(),
        *keep(admin.strangers()),
        membership.router(),
        *keep(
            start.router(),
            settings.router(),
            dialogue.router(),
            own_data.router(),
            stats.router(),
            ratings.router(),
            variants.router(),
            leftovers.unknown_commands(),
            persona_text.router(),
        ),
        edits.router(),
        chat.router(),
        *keep(leftovers.router()),
        errors.router(),
    )
    return root
