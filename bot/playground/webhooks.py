"""Carries updates to bots that asked for a webhook: in order, again and again until they answer 2xx.

An answer's body may hold one method call, as at Telegram; it is carried out and its result dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import structlog

from bot.playground.params import Params
from bot.playground.state import BotAccount, Webhook
from bot.playground.world import World

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name
TIMEOUT = aiohttp.ClientTimeout(total=60)
log = structlog.get_logger()
Call = Callable[[BotAccount, str, Params], Awaitable[Any]]


async def run_webhooks(world: World, call: Call) -> None:
    """One deliverer per bot, for as long as the playground runs."""
    known: set[int] = set()
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as tasks:
        while True:
            for bot in list(world.bots.values()):
                if bot.webhook is not None and bot.user.id not in known:
                    known.add(bot.user.id)
                    tasks.create_task(_deliver(world, bot, session, call))
            await world.webhooks.wait()


async def _deliver(world: World, bot: BotAccount, session: aiohttp.ClientSession, call: Call) -> None:
    failures = 0
    signal = world.runtime[bot.user.id].updates
    while True:
        hook = bot.webhook
        if hook is None or not bot.updates:
            await signal.wait()
            continue
        update = bot.updates[0]
        body = {"update_id": update.id, update.kind: update.payload}
        error, answer = await _post(session, hook, body)
        if error is None:
            failures = 0
            bot.updates = [one for one in bot.updates if one is not update]
            world.touch()
            await _carry_out(bot, answer, call)
            continue
        hook.error, hook.error_date = error, int(world.clock())
        log.warning("webhook refused an update", bot=bot.user.id, update=update.id, error=error)
        pause = world.limits.webhook_retry_seconds * 2**failures
        failures = min(failures + 1, 12)
        await asyncio.sleep(min(pause, world.limits.webhook_retry_max_seconds))


async def _post(
    session: aiohttp.ClientSession, hook: Webhook, body: dict[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    headers = {SECRET_HEADER: hook.secret} if hook.secret else {}
    try:
        async with session.post(hook.url, json=body, headers=headers, allow_redirects=False) as answer:
            if not 200 <= answer.status < 300:
                return f"Wrong response from the webhook: {answer.status} {answer.reason}", {}
            return None, await _reply(answer)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"Connection failed: {type(error).__name__}", {}


async def _reply(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    if answer.content_type == "application/json":
        given = await answer.json()
        return given if isinstance(given, dict) else {}
    if answer.content_type != "multipart/form-data":
        return {}
    fields: dict[str, Any] = {}
    async for part in aiohttp.MultipartReader.from_response(answer):
        if isinstance(part, aiohttp.BodyPartReader) and part.name and not part.filename:
            fields[part.name] = await part.text()
    return fields


async def _carry_out(bot: BotAccount, answer: dict[str, Any], call: Call) -> None:
    method = answer.pop("method", None)
    if method:
        await call(bot, str(method), Params(answer))
