"""The page in a real browser: a person writes, presses, sees an edit and a reaction."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from aiogram import Bot, Dispatcher
from aiogram.types import BotCommand, Message
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import FilePayload, Page, async_playwright, expect

from bot.playground.person import PNG, Person
from tests.machine import chromium
from tests.playground.conftest import polling

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


async def test_what_is_said_already_does_not_flicker_when_something_is_said(
    echo: Bot, url: str, anna: Person, page: Page
) -> None:
    await anna.ask("/start")
    await page.goto(f"{url}/#{anna.id}/{anna.home}")
    box = page.get_by_role("textbox", name="Сообщение")
    await box.fill("раз")
    await box.press("Enter")
    await expect(page.locator(".row", has_text="эхо: раз")).to_be_visible()
    await expect(page.locator(".row.fresh")).to_have_count(0)
    await page.evaluate(
        """() => {
          window.gone = [];
          const watch = (changes) => gone.push(...changes.flatMap((change) => [...change.removedNodes]));
          new MutationObserver(watch).observe(document.getElementById("messages"), { childList: true });
          window.moved = [];
          document.addEventListener("animationstart", (event) => moved.push(event.target.closest(".row")?.innerText));
        }"""
    )
    await box.fill("два")
    await box.press("Enter")
    await expect(page.locator(".row", has_text="эхо: два")).to_be_visible()
    await expect(page.locator(".row.fresh")).to_have_count(0)
    gone, moved = await page.evaluate("[gone.map((node) => node.innerText), moved]")
    assert len(moved) == 2, "the message and its answer rise, nothing else moves"
    assert not [text for text in gone if "раз" not in text], "only the row whose neighbourhood changed is drawn anew"
    assert len(gone) <= 2


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


async def test_a_command_from_the_list_answers_what_one_was_answering(
    echo: Bot, url: str, anna: Person, page: Page
) -> None:
    await echo.set_my_commands([BotCommand(command="fix", description="Исправить")])
    await anna.ask("Привет")
    await page.goto(url)
    box = page.get_by_role("textbox", name="Сообщение")
    for key, more in (("Enter", ""), ("Tab", "так лучше")):
        await page.locator(".row:not(.mine) .words").last.click(button="right")
        await page.get_by_role("menuitem", name="Ответить").click()
        await box.fill("/")
        await expect(page.get_by_role("option", name="/fix")).to_be_visible()
        await box.press(key)
        if more:
            await expect(box).to_have_value("/fix ")
            await box.press_sequentially(more)
            await box.press("Enter")
        sent = page.locator(".row.mine", has_text=f"/fix {more}".strip()).last
        await expect(sent.locator(".quote")).to_contain_text("эхо")


async def test_what_one_message_cannot_hold_is_sent_as_several(url: str, anna: Person, page: Page) -> None:
    await page.goto(url)
    await anna.send("/start")
    box = page.get_by_role("textbox", name="Сообщение")
    words = " ".join(f"слово{number}" for number in range(600))
    await box.fill(words)
    await box.press("Enter")
    await expect(page.locator(".row.mine")).to_have_count(3)
    sent = [one.text for one in await anna.history()][1:]
    assert " ".join(sent) == words
    assert max(map(len, sent)) <= 4096


async def test_words_under_a_picture_are_kept_when_they_are_too_many_and_edited_in_place(
    url: str, anna: Person, page: Page
) -> None:
    await anna.send("/start")
    await page.goto(url)
    box = page.get_by_role("textbox", name="Сообщение")
    picture: FilePayload = {"name": "dot.png", "mimeType": "image/png", "buffer": PNG}
    await box.fill("я" * 1025)
    await page.locator("#file").evaluate("node => { node.dataset.kind = 'photo'; }")
    await page.locator("#file").set_input_files([picture])
    await expect(page.locator("#toast")).to_contain_text("Подпись слишком длинная")
    await expect(box).to_have_value("я" * 1025)
    await box.fill("мой кот")
    await page.locator("#file").set_input_files([picture])
    row = page.locator(".row", has=page.locator("img.photo"))
    await expect(row.locator(".words")).to_have_text("мой кот")
    await expect(box).to_have_value("")
    await row.locator(".words").click(button="right")
    await page.get_by_role("menuitem", name="Изменить").click()
    await box.fill("мой пёс")
    await box.press("Enter")
    await expect(row.locator(".words")).to_have_text("мой пёс")


async def test_a_group_shows_who_its_admins_are(url: str, anna: Person, page: Page) -> None:
    async with Person.join(url, "Борис") as boris, Person.join(url, "Вера") as vera:
        group = await anna.group("Друзья", boris, vera, admins=(boris,))
        await page.goto(f"{url}/#{vera.id}/{group}")
        for one in (anna, boris):
            await one.send("всем привет", chat=group)
        await expect(page.locator(".row .name")).to_have_text(["Анявладелец", "Борисадмин"])
        await expect(page.locator("#peer-status")).to_have_text("участников: 4")
        await page.goto(f"{url}/#{boris.id}/{group}")
        await page.reload()
        await expect(page.locator("#peer-status")).to_have_text("участников: 4 · вы админ")


async def test_typing_is_seen_until_the_answer_comes(api: Bot, url: str, anna: Person, page: Page) -> None:
    made = asyncio.Event()
    slow = Dispatcher()

    @slow.message()
    async def answer(message: Message) -> None:
        await api.send_chat_action(message.chat.id, "typing")
        await made.wait()
        await message.answer("вот ответ")

    async with polling(api, slow):
        await page.goto(url)
        status = page.locator("#peer-status")
        await expect(status).to_have_text("бот")
        await page.get_by_role("button", name="Запустить").click()
        await expect(status).to_have_text("печатает…")
        await expect(page.locator("#peer-status .typing")).to_be_visible()
        made.set()
        await expect(page.locator(".row", has_text="вот ответ")).to_be_visible()
        await expect(status).to_have_text("бот", timeout=2_000)


async def test_several_people_on_one_page(echo: Bot, url: str, anna: Person, page: Page) -> None:
    async def become(name: str) -> None:
        await page.get_by_title("Кем быть").click()
        await page.get_by_role("menuitem", name=name).click()

    async def write(text: str) -> None:
        box = page.get_by_role("textbox", name="Сообщение")
        await box.fill(text)
        await box.press("Enter")

    rows, flame = page.locator(".row"), '.chip[data-emoji="🔥"]'
    async with Person.join(url, "Борис") as boris:
        group = await anna.group("Друзья", boris)
        await anna.ask("/start")
        await page.goto(f"{url}/#{anna.id}/{anna.home}")
        await write("я Аня")
        await expect(rows.filter(has_text="эхо: я Аня")).to_be_visible()

        await become("Борис")
        await expect(page.locator("#me b")).to_have_text("Борис")
        await expect(rows).to_have_count(0)
        await page.get_by_role("button", name="Запустить").click()
        await write("я Борис")
        await expect(rows.filter(has_text="эхо: я Борис")).to_be_visible()
        assert "я Борис" in [message.text for message in await boris.history()]
        await page.locator(f'.chat-row[data-chat="{group}"]').click()
        await write("всем привет")
        own = page.locator(".row.mine", has_text="всем привет")
        await own.locator(".words").click(button="right")
        await page.get_by_role("menuitem", name="Реакция 🔥").click()
        await expect(own.locator(flame)).to_have_attribute("aria-pressed", "true")

        await become("Аня")
        others = page.locator(".row:not(.mine)", has_text="всем привет").first
        await expect(others.locator(".name")).to_have_text("Борис")
        await expect(others.locator(flame)).to_have_attribute("aria-pressed", "false")

    await become("Добавить человека")
    await page.locator("#dialog-input").fill("Вера")
    await page.keyboard.press("Enter")
    await expect(page.locator("#me b")).to_have_text("Вера")
    await page.reload()
    await expect(page.locator("#me b")).to_have_text("Вера")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_day_and_night(echo: Bot, url: str, anna: Person, page: Page, scheme: Literal["light", "dark"]) -> None:
    """The system's theme is followed until another is chosen; words can be read in both."""
    shade = "getComputedStyle(document.querySelector('.side')).backgroundColor.match(/\\d+/g).slice(0, 3)"
    other = {"light": "dark", "dark": "light"}[scheme]

    async def looks() -> str:
        return "light" if sum(map(int, await page.evaluate(shade))) > 3 * 128 else "dark"

    await anna.ask("/start")
    await anna.ask("как дела?")
    await page.emulate_media(color_scheme=scheme)
    await page.goto(url)
    await expect(page.locator(".row", has_text="эхо: как дела?")).to_be_visible()
    assert await looks() == scheme
    found = await Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    await page.get_by_role("button", name="Светлая или тёмная тема").click()
    assert await looks() == other
    await page.reload()
    assert await looks() == other
