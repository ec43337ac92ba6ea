"""Draws README's picture, docs/playground.png: a short talk with the bundled model on the playground's page.

    python -m docs.playground

Needs what `make test` installs, and Chromium. Answers are sampled: look at the picture before it is committed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from tests.journey.running import free_port, otklik_up
from tests.machine import chromium
from tests.playground.test_page import ARGS

PICTURE = Path(__file__).with_suffix(".png")
SIZE = {"width": 1100, "height": 760}
# A command is answered by a plain message, anything else by the model, with buttons to rate it.
TALK = (
    "/emotion радость",
    "Меня взяли на работу",
    "/emotion сочувствие",
    "Кошка заболела, переживаю",
    "/emotion удивление",
    "Я купил новый велосипед",
)


async def talk(page: Page) -> None:
    """Begin, say everything in its turn, rate the last answer."""
    await page.get_by_role("button", name="Запустить").click()
    await page.locator(".key", has_text="Можно").click()
    answers = page.locator(".row", has=page.locator(".key", has_text="Другой вариант"))
    box = page.get_by_role("textbox", name="Сообщение")
    for text in TALK:
        rows, answered = await page.locator(".row:not(.mine)").count(), await answers.count()
        await box.fill(text)
        await box.press("Enter")
        await expect(page.locator(".row:not(.mine)")).to_have_count(rows + 1)
        await expect(answers).to_have_count(answered + (not text.startswith("/")))
    await answers.last.locator(".key", has_text="👍").click()
    await expect(answers.last.locator(".key", has_text="👍 ✓")).to_be_visible()
    await expect(page.locator("#toast")).to_be_hidden()


async def draw(picture: Path) -> None:
    """Run the whole line in an empty folder, talk, save the page."""
    with tempfile.TemporaryDirectory() as folder:
        async with otklik_up(Path(folder), free_port(), "transformers") as (_, address), async_playwright() as play:
            browser = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
            page = await browser.new_page(viewport=SIZE, color_scheme="light", locale="ru-RU")
            page.set_default_timeout(30_000)
            expect.set_options(timeout=30_000)
            await page.goto(address)
            await talk(page)
            await page.mouse.move(0, 0)
            await page.screenshot(path=picture, animations="disabled")
            await browser.close()


def main() -> None:
    """Read the place of the picture and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=PICTURE)
    asyncio.run(draw(parser.parse_args().out))


if __name__ == "__main__":
    main()
