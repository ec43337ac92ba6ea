"""An admin steers the bot from the playground's page: every screen of `/admin` opens, what is pressed has effect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page, ViewportSize, async_playwright, expect

from bot.admin import texts
from tests.journey.running import free_port, otklik_up
from tests.machine import chromium
from tests.playground.test_page import ARGS
from tests.storage.adapter_folders import lora

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANNA = 501001001
PHONE: ViewportSize = {"width": 390, "height": 844}


def in_registry(folder: Path) -> str:
    """An adapter that an operator has added; its id."""
    made = lora(folder / "made")
    words = [sys.executable, "-m", "otklik", "adapters", "add", str(made), "--base", "echo", "--json"]
    found = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return str(json.loads(found)["adapter_id"])


async def say(page: Page, text: str) -> None:
    box = page.get_by_role("textbox", name="Сообщение")
    await box.fill(text)
    await box.press("Enter")


async def press(page: Page, button: str, shows: str) -> None:
    """Press the newest button of this name; the chat then shows this text."""
    await page.locator(".key", has_text=button).last.click()
    await expect(page.locator(".words", has_text=shows).last).to_be_visible()


async def test_an_admin_reads_every_screen_and_lets_an_adapter_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_ADMINS", str(ANNA))
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))
    adapter = in_registry(tmp_path)
    async with otklik_up(tmp_path, free_port()) as (_, address), async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
        page = await browser.new_page(viewport=PHONE)
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        await page.goto(address)
        await page.get_by_role("button", name="Запустить").click()
        await page.locator(".key", has_text="Можно").click()

        await say(page, "/admin")
        await expect(page.locator(".words", has_text="Кто отвечает").last).to_be_visible()
        await press(page, "Переобучить", "Переобучение")
        await press(page, texts.TO_PANEL, "Кто отвечает")
        await press(page, "Эмоции", "радость")
        await say(page, "/admin")
        await press(page, "Журнал", "Журнал")
        await say(page, "/adapters")
        await press(page, adapter, adapter)
        await press(page, "В бой", "для каких ответов?")
        await press(page, "общий", "общ")
        await press(page, texts.SURE_LIVE, adapter)
        await say(page, "/admin")
        await expect(page.locator(".words", has_text=f"общий: {adapter[:12]}").last).to_be_visible()
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], "nothing is wider than a phone"
        await browser.close()
