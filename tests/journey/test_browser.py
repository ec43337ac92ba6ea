"""The whole line with the bundled model, driven in a real browser: what README promises a newcomer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from tests.journey.running import free_port, otklik_up
from tests.machine import chromium
from tests.playground.test_page import ARGS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Everything that the line under the bot's name says from now on.
WATCH = """() => {
  const line = document.getElementById("peer-status");
  window.told = [];
  new MutationObserver(() => window.told.push(line.textContent)).observe(line, { childList: true });
}"""


async def test_a_newcomer_chooses_an_emotion_is_answered_and_rates_the_answer(tmp_path: Path) -> None:
    async with otklik_up(tmp_path, free_port(), "transformers") as (_, address), async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
        page = await browser.new_page()
        page.set_default_timeout(20_000)
        await page.goto(address)
        await page.get_by_role("button", name="Запустить").click()
        await page.locator(".key", has_text="Можно").click()
        await page.locator(".key", has_text="радость").click()
        await expect(page.locator(".key", has_text="радость ✓")).to_be_visible()

        await page.evaluate(WATCH)
        box = page.get_by_role("textbox", name="Сообщение")
        await box.fill("Сегодня такой хороший день")
        await box.press("Enter")
        await expect(page.locator(".key", has_text="Другой вариант")).to_be_visible()
        told = await page.evaluate("window.told")
        assert (told[0], told[-1]) == ("печатает…", "бот")
        answer = page.locator(".row", has=page.locator(".key", has_text="Другой вариант"))
        text = await answer.locator(".words").inner_text()
        assert re.search("[а-яё]{3}", text), "the bundled model answers in Russian"

        await answer.locator(".key", has_text="👍").click()
        await expect(answer.locator(".key", has_text="👍 ✓")).to_be_visible()
        await answer.locator(".key", has_text="Другой вариант").click()
        await expect(answer.locator(".key", has_text="2/2")).to_be_visible()
        assert await answer.locator(".words").inner_text() != text
        await answer.locator(".key", has_text="◀").click()
        await expect(answer.locator(".words")).to_have_text(text)

        await answer.locator(".words").click(button="right")
        await page.get_by_role("menuitem", name="Реакция 🔥").click()
        await expect(answer.locator('.chip[data-emoji="🔥"]')).to_have_attribute("aria-pressed", "true")
        rows = await page.locator(".row").count()
        await box.press("ArrowUp")
        await box.fill("У меня умерла собака")
        await box.press("Enter")
        await expect(page.locator(".row.mine").last).to_contain_text("изменено")
        await expect(answer.locator(".words")).not_to_have_text(text)
        assert await page.locator(".row").count() == rows, "the same message carries the new answer"
        await browser.close()
