"""`otklik reply`: one answer in the terminal, or JSON lines. Joins the worker's command with the bot's help card."""

from __future__ import annotations

from collections.abc import Sequence

from models import cli
from otklik.errors import PARTS


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `otklik reply`: as in the bot, no model answers a cry for help. JSON lines are data and go to it."""
    return cli.reply(argv, instead=card)


def card(text: str) -> str | None:
    """The help card for a cry for help; None for all else, and in a worker's image, which holds no bot."""
    try:
        from bot import texts
        from bot.crisis import is_crisis
    except ModuleNotFoundError as error:
        if error.name not in PARTS:
            raise
        return None
    return texts.CRISIS if is_crisis(text) else None
