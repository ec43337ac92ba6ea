"""A help desk's page on one origin, the API on another, and Chromium between them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, async_playwright, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bot.api.settings import ApiSettings
from tests.api.conftest import Desk, Serve, serve, worker
from tests.machine import chromium
from tests.playground.test_page import ARGS

__all__ = ["serve", "worker"]
PICTURES = os.environ.get("OTKLIK_PICTURES")
PAGE = """<!doctype html><html lang="ru"><title>Обращение</title>
<style>body {{ margin: 0 }}</style>
<main><h1>Обращение</h1><script src="{api}/widget/otklik.js" data-lang="{lang}" data-height="{height}"></script></main>
<script>
window.got = [];
otklik.onAnswer((told) => got.push(told));
otklik.onUndo((told) => got.push(told));
otklik.onExpired((told) => got.push(told));
</script>"""


@dataclass
class Host:
    """A page of a help desk with the widget in it, as its operator sees it."""

    desk: Desk
    url: str
    page: Page
    frame: FrameLocator
    troubles: list[str] = field(default_factory=list)

    async def session(self, operator: str = "Мария", **more: Any) -> str:
        """A token by the host's server, handed to the page."""
        token = await make_token(self.desk, operator, **more)
        await self.page.evaluate("(token) => otklik.session(token)", token)
        return token

    async def ask(self, question: str = "Где мой заказ?", **more: object) -> None:
        """The host page tells the question; waits for answers."""
        told = {"question": question, "emotion": "joy", "client": "Иван", **more}
        await self.page.evaluate("(told) => otklik.ask(told)", told)
        await expect(self.card("A")).to_be_visible()

    def card(self, letter: str) -> Any:
        """An answer."""
        return self.frame.get_by_role("article", name=re.compile(f" {letter}$"))

    async def heard(self) -> list[dict[str, Any]]:
        """What the host page was told."""
        found: list[dict[str, Any]] = await self.page.evaluate("got")
        return found

    async def saved(self) -> None:
        """Everything has reached the server."""
        await self.page.clock.fast_forward(6000)  # what is held back to be undone need not be waited for
        await expect(self.frame.locator("#queue")).to_have_text("Всё сохранено", timeout=15_000)


async def make_token(desk: Desk, operator: str = "Мария", key: str | None = None, **more: Any) -> str:
    async with desk.client(key) as client:
        answer = await client.post("/v1/widget/sessions", json={"operator": operator, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        found = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
        yield found
        await found.close()


@contextlib.asynccontextmanager
async def site(answer: Callable[[], str]) -> AsyncIterator[str]:
    """A web server on `localhost`, another origin than the API's 127.0.0.1; gives its address."""

    async def page(_request: Any) -> HTMLResponse:
        return HTMLResponse(answer())

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/{path:path}", page)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws="none"))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    try:
        yield f"http://localhost:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


Opened = Callable[..., Awaitable[Host]]


@pytest_asyncio.fixture
async def host(serve: Serve, worker: object, browser: Browser) -> AsyncIterator[Opened]:
    """Opens the page of the help desk, in a window of its own."""
    async with contextlib.AsyncExitStack() as stack:
        text = {"page": ""}
        url = await stack.enter_async_context(site(lambda: text["page"]))
        running: list[Desk] = []
        opened: list[Host] = []

        async def open_page(
            lang: str = "ru", height: int = 720, models: tuple[str, ...] = ("otklik", "base"), **window: Any
        ) -> Host:
            if not running:
                running.append(await serve(ApiSettings(origins=(url,), widget_models=models)))
            desk = running[0]
            text["page"] = PAGE.format(api=desk.url, lang=lang, height=f"{height}px")
            context: BrowserContext = await browser.new_context(**window)
            await context.grant_permissions(["clipboard-read", "clipboard-write"])
            page = await context.new_page()
            await page.clock.install()
            page.set_default_timeout(15_000)
            found = Host(desk, url, page, page.frame_locator("iframe.otklik"))
            page.on("pageerror", lambda error: found.troubles.append(str(error)))
            page.on("console", lambda line: found.troubles.append(line.text) if line.type == "error" else None)
            await page.goto(url)
            opened.append(found)
            return found

        yield open_page
        assert [trouble for one in opened for trouble in one.troubles] == []


async def check(page: Page, name: str) -> None:
    """No rule of accessibility broken (in the frame too), nothing wider than the screen."""
    for frame in page.frames:
        result = await Axe().run(frame)
        assert result.violations_count == 0, f"{name}: {result.generate_report()}"
        wide = await frame.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px wider than the screen"
    if PICTURES:
        await page.wait_for_timeout(300)  # a frame of another process is painted later
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")
