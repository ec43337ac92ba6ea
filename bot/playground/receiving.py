"""How a bot gets its updates: long polling, or the webhook settings. Does not deliver to webhooks itself."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from bot.playground import views
from bot.playground.errors import bad_request, conflict
from bot.playground.params import Params
from bot.playground.state import BotAccount, Json, Webhook

if TYPE_CHECKING:
    from bot.playground.world import World

WEBHOOK_ACTIVE = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
OTHER_POLL = "terminated by other getUpdates request; make sure that only one bot instance is running"
# The number of the poll that waits when the playground closes: whoever waited is sent off with nothing.
NOBODY = 0
SECRET = re.compile(r"^[A-Za-z0-9_-]{1,256}$")


async def get_updates(world: World, bot: BotAccount, params: Params) -> list[Json]:
    """getUpdates: an update is forgotten only when a later call names a higher offset."""
    if bot.webhook is not None:
        raise conflict(WEBHOOK_ACTIVE)
    runtime = world.runtime[bot.user.id]
    runtime.poll += 1
    mine = runtime.poll
    runtime.updates.notify()
    _set_allowed(bot, params)
    _confirm(world, bot, params.number("offset"))
    limit = min(max(params.number("limit", 100), 1), 100)
    loop = asyncio.get_running_loop()
    until = loop.time() + min(max(params.number("timeout"), 0), 50)
    while not bot.updates and loop.time() < until:
        await runtime.updates.wait(until - loop.time())
        if bot.webhook is not None:
            raise conflict("terminated by setWebhook request")
        if runtime.poll == NOBODY:
            return []
        if runtime.poll != mine:
            raise conflict(OTHER_POLL)
    return [{"update_id": update.id, update.kind: update.payload} for update in bot.updates[:limit]]


def _confirm(world: World, bot: BotAccount, offset: int) -> None:
    if not offset:
        return
    before = len(bot.updates)
    bot.updates = bot.updates[offset:] if offset < 0 else [u for u in bot.updates if u.id >= offset]
    if len(bot.updates) != before:
        world.touch()


def _set_allowed(bot: BotAccount, params: Params) -> None:
    wanted = params.json("allowed_updates")
    if isinstance(wanted, list):
        bot.allowed = [str(kind) for kind in wanted] or None


def set_webhook(world: World, bot: BotAccount, params: Params) -> bool:
    """setWebhook; plain http is allowed, as with a local Bot API server."""
    url, secret = params.text("url"), params.text("secret_token")
    if not url:
        return delete_webhook(world, bot, params)
    if not url.startswith(("https://", "http://")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if secret and not SECRET.match(secret):
        raise bad_request("secret token contains unallowed characters")
    _set_allowed(bot, params)
    if params.flag("drop_pending_updates"):
        bot.updates.clear()
    bot.webhook = Webhook(url, secret, params.number("max_connections", 40))
    _wake(world, bot)
    return True


def delete_webhook(world: World, bot: BotAccount, params: Params) -> bool:
    """deleteWebhook."""
    bot.webhook = None
    if params.flag("drop_pending_updates"):
        bot.updates.clear()
    _wake(world, bot)
    return True


def _wake(world: World, bot: BotAccount) -> None:
    world.runtime[bot.user.id].updates.notify()
    world.webhooks.notify()
    world.touch()


def get_webhook_info(world: World, bot: BotAccount, params: Params) -> Json:
    """getWebhookInfo."""
    return views.webhook_info(bot)
