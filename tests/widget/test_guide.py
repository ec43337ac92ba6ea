"""The program of docs/widget.md, taken out of the page and run, with a person at it."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bot.api.settings import ApiSettings
from tests.api.conftest import Desk, Serve
from tests.widget.conftest import check

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GUIDE = Path(__file__).parents[2] / "docs" / "widget.md"


@asynccontextmanager
async def example(desk: Desk, port: int, folder: Path) -> AsyncIterator[None]:
    """The page's only Python program, running."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    program = folder / "desk.py"
    program.write_text(textwrap.dedent(code), encoding="utf-8")
    told = {"OTKLIK_KEY": desk.key, "OTKLIK_API": desk.url, "PORT": str(port), "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), env=told, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(20):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.1)
                    continue
                writer.close()
                await writer.wait_closed()
                break
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_the_example_works_as_it_stands(serve: Serve, worker: object, browser: Browser, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://localhost:{port}"
    desk = await serve(ApiSettings(origins=(url,), widget_models=("otklik", "base")))
    async with example(desk, port, tmp_path):
        page = await browser.new_page()
        await page.goto(url)
        frame = page.frame_locator("iframe.otklik")
        await expect(frame.get_by_role("article")).to_have_count(2)
        await frame.get_by_role("article").first.get_by_role("button", name="Взять").click()
        await expect(page.get_by_label("Ответ клиенту")).to_have_value(re.compile("Где мой заказ"))
        await frame.get_by_role("button", name="Отменить").click()
        await expect(page.get_by_label("Ответ клиенту")).to_have_value("")
        assert desk.key not in await page.content()
        await check(page, "guide")
        await page.set_viewport_size({"width": 360, "height": 740})
        await check(page, "guide-360")


def test_every_command_and_setting_of_the_guide_is_real() -> None:
    from otklik.__main__ import COMMANDS

    text = GUIDE.read_text(encoding="utf-8")
    assert set(re.findall(r"otklik (keys|up|api|knowledge|widget|ratings)\b", text)) <= COMMANDS.keys()
    fields = {f"API_{name.upper()}" for name in ApiSettings.model_fields}
    assert set(re.findall(r"API_[A-Z_]+", text)) <= fields
