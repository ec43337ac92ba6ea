"""Updates by webhook: an HTTP end that answers 200 only after an update was handled. Does not know how it is."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiogram import Bot
from aiohttp import web

from bot.intake import ALLOWED, Intake
from bot.settings import BotSettings, host_port

HEADER = "X-Telegram-Bot-Api-Secret-Token"
PATIENCE = 50.0
LARGEST = 1024 * 1024


class Webhook:
    """Registers the address with Telegram and serves it."""

    def __init__(self, bot: Bot, intake: Intake, settings: BotSettings) -> None:
        if settings.webhook_url is None or settings.webhook_secret is None:
            raise ValueError("a webhook needs BOT_WEBHOOK_URL and BOT_WEBHOOK_SECRET")
        self.bot = bot
        self.intake = intake
        self.url = settings.webhook_url
        self.secret = settings.webhook_secret.get_secret_value()
        self.host, self.port = host_port(settings.webhook_listen)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen, register, and stop listening at the end. The registration stays: Telegram keeps updates for us."""
        application = web.Application(client_max_size=LARGEST)
        application.router.add_post(urlsplit(self.url).path or "/", self.handle)
        application.router.add_get("/health", _health)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
            await self.bot.set_webhook(
                self.url, secret_token=self.secret, allowed_updates=list(ALLOWED), drop_pending_updates=False
            )
            yield
        finally:
            await runner.cleanup()

    async def handle(self, request: web.Request) -> web.Response:
        """One update. 401: not from Telegram. 503: not handled yet, Telegram will repeat it."""
        given = request.headers.get(HEADER, "")
        if not hmac.compare_digest(given.encode(), self.secret.encode()):
            return web.Response(status=401)
        try:
            raw = json.loads(await request.read())
        except ValueError:
            raw = None
        if not isinstance(raw, dict):
            # A repetition would be malformed too.
            return web.Response(status=200)
        future = self.intake.accept(raw)
        done, _ = await asyncio.wait({future}, timeout=PATIENCE)
        return web.Response(status=200 if done and future.result() else 503)


async def _health(_: web.Request) -> web.Response:
    return web.Response(text="ok")
