"""The page in a real browser: a person writes, presses, sees an edit and a reaction."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from playwright.async_api import Page, async_playwright, expect

from bot.playground.person import Person
from tests.machine import chromium

ARGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
pytestmark = pytest.mark.browser


@pytest.fixture
async def page(url: str) -> AsyncIterator[Page]:
    """A page whose errors fail the test."""
    troubles: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
        page = await browser.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
        yield page
        await browser.close()
    assert troubles == []


async def test_a_conversation_in_the_browser(echo: Bot, url: str, anna: Person, page: Page) -> None:
    await page.goto(url)
    await page.get_by_role("button", name="Запустить").click()
    await expect(page.locator(".row strong")).to_have_text("друг")

    box = page.get_by_role("textbox", name="Сообщение")
    await box.fill("<img src=x onerror=alert(1)> как дела?")
    await box.press("Enter")
    answer = page.locator(".row", has_text="эхо: <img")
    await expect(answer.locator(".quote")).to_contain_text("как дела?")
    assert await page.locator(".bubble img").count() == 0

    await answer.get_by_role("button", name="Нет").click()
    await expect(page.locator("#dialog-text")).to_have_text("Готово")
    await page.keyboard.press("Enter")
    edited = page.locator(".row", has_text="нажато b:Нет")
    await expect(edited.locator(".meta")).to_contain_text("изменено")
    await expect(edited.locator(".key")).to_have_text(["Ещё"])

    await edited.locator(".words").click(button="right")
    await page.get_by_role("menuitem", name="Реакция 🔥").click()
    await expect(edited.locator(".chip")).to_have_count(2)
    await expect(edited.locator('.chip[data-emoji="🔥"]')).to_have_attribute("aria-pressed", "true")

    await box.press("ArrowUp")
    await box.fill("как настроение?")
    await box.press("Enter")
    await expect(page.locator(".row", has_text="исправлено: как настроение?")).to_be_visible()
    await page.reload()
    await expect(page.locator(".row.mine .meta").last).to_have_text(re.compile("изменено"))
    await expect(page.locator(".chip")).to_have_count(2)


async def test_groups_blocking_and_the_theme(echo: Bot, url: str, anna: Person, page: Page) -> None:
    await anna.ask("/start")
    async with Person.join(url, "Борис") as boris:
        group = await anna.group("Друзья", boris)
        await page.goto(f"{url}/#{anna.id}/{group}")
        await boris.send("всем привет", chat=group)
        row = page.locator(".row", has_text="всем привет").first
        await expect(row.locator(".name")).to_have_text("Борис")

    await page.locator(f'.chat-row[data-chat="{anna.home}"]').click()
    await page.get_by_role("button", name="Действия с чатом").click()
    await page.get_by_role("menuitem", name="Заблокировать бота").click()
    await expect(page.get_by_role("textbox", name="Сообщение")).to_be_hidden()
    await page.get_by_role("button", name="Разблокировать").click()
    await expect(page.locator(".row", has_text="снова вместе")).to_be_visible()

    before = await page.locator("html").get_attribute("data-theme")
    await page.get_by_role("button", name="Светлая или тёмная тема").click()
    assert {before, await page.locator("html").get_attribute("data-theme")} == {"light", "dark"}
    await page.set_viewport_size({"width": 390, "height": 780})
    await page.get_by_role("button", name="К списку чатов").click()
    await expect(page.locator(".chat-row").first).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
