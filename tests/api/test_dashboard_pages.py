"""The dashboard in a real browser: readable for everybody (axe), on a phone, in the dark, and live."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.api.settings import ApiSettings
from bot.settings import BotSettings
from storage.contracts import JobState, Loaded, now
from storage.loop_board import LoopBoard
from storage.tables import RatingRow, ReplyRow, TurnRow
from tests.api.conftest import Desk, Serve
from tests.api.test_dashboard import BOSS, TOKEN, signed
from tests.api.test_loop import register
from tests.machine import chromium
from tests.playground.test_page import ARGS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PAGES = ("", "ratings", "adapters", "jobs", "people", "audit")
# For whoever wants to look: OTKLIK_PICTURES=folder pytest tests/api/test_dashboard_pages.py
PICTURES = os.environ.get("OTKLIK_PICTURES")


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        found = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
        yield found
        await found.close()


async def fill(desk: Desk, folder: Path) -> str:
    """Two weeks of answers and marks, adapters, a worker; the id of an adapter with a verdict."""
    first, second = [await register(desk, folder, number) for number in (1, 2)]
    chance = random.Random(1)
    async with desk.database.unit() as unit:
        turn = TurnRow(chat_id=1, user_id=1, state="done")
        unit.session.add(turn)
        await unit.session.flush()
        for number in range(280):
            emotion = ("joy", "sadness", "anger", "neutral")[number % 4]
            made = now() - timedelta(days=number // 20)
            row = ReplyRow(request_id=f"r{number}", turn_id=turn.id, chat_id=1, emotion=emotion, state="done")
            row.fit_ok, row.created_at, row.answered_at = chance.random() < 0.6 + number % 4 / 10, made, made
            row.adapter = first if number % 3 else None
            unit.session.add(row)
            marks = {name: chance.randint(2, 5) for name in ("content", "grammar", "structure", "style")}
            for person in (1, 2)[: 1 + (number < 30)]:
                unit.session.add(
                    RatingRow(
                        chat_id=1,
                        message_id=number,
                        user_id=person,
                        request_id=f"r{number}",
                        thumb=chance.choice((1, 1, -1)),
                        stars=marks | {"style": person},
                        preferred_over="r9" if number == 3 else None,
                        source="button",
                        updated_at=made,
                    )
                )
        await unit.slots.point("shared", first, action="promote", by=1)
        await unit.slots.begin_canary("shared", second, 0.1, job=None, by=1)
        row2 = await unit.adapters.get(second)
        assert row2 is not None
        checks = [{"name": "emotion_hit", "incumbent": 0.84, "candidate": 0.91}]
        row2.verdict = {"passed": True, "reasons_ru": ["чаще попадает в эмоцию"], "checks": checks}
        unit.audit.write(1, "promote", first, slot="shared")
        unit.audit.write(2, "train", allowed=False)
        await unit.commit()
    await desk.conversation.beat("echo-1", seconds=600)
    await LoopBoard(desk.redis, desk.storage).report(Loaded(worker="echo-1", revision=2, adapters=(first, second)))
    return second


async def enter(page: Page, desk: Desk) -> None:
    await page.goto(f"{desk.url}/dashboard/")
    await page.get_by_label("Ключ администратора").fill(desk.admin_key)
    await page.get_by_role("button", name="Войти", exact=True).click()
    await expect(page.get_by_role("heading", name="Сейчас", exact=True)).to_be_visible()


async def check(page: Page, name: str) -> None:
    """No rule of accessibility broken, nothing wider than the screen."""
    result = await Axe().run(page)
    assert result.violations_count == 0, f"{name}: {result.generate_report()}"
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} is {wide} px wider than the screen"
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (1100, "dark"), (360, "light")])
async def test_everybody_can_read_every_page(
    desk: Desk, browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    adapter = await fill(desk, tmp_path)
    page = await browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    await page.goto(f"{desk.url}/dashboard/login")
    await check(page, f"login-{width}-{scheme}")
    await enter(page, desk)
    for name in (*PAGES, f"adapters/{adapter}"):
        await page.goto(f"{desk.url}/dashboard/{name}")
        await check(page, f"{name.split('/')[0] or 'now'}{'-one' * ('/' in name)}-{width}-{scheme}")


async def test_a_refit_is_followed_without_touching_the_page(desk: Desk, browser: Browser) -> None:
    page = await browser.new_page()
    await enter(page, desk)
    await page.get_by_role("link", name="Обучение").click()
    await page.get_by_role("button", name="Начать").click()
    await expect(page.locator("#stage")).to_have_text("ждёт тренера")
    job = page.url.rsplit("/", 1)[1]
    async with desk.database.unit() as unit:
        await unit.jobs.claim("trainer", 60)
        await unit.commit()
    for step in range(1, 6):
        async with desk.database.unit() as unit:
            await unit.jobs.move(job, JobState.TRAINING, step=step, steps=10, loss=1 / step, eta_seconds=120.0)
            await unit.commit()
        await asyncio.sleep(0.7)
    await expect(page.locator("#numbers")).to_contain_text("шаг 5 из 10")
    await expect(page.locator("#live")).to_be_visible()
    await check(page, "job-live")
    await page.get_by_role("button", name="Отменить").click()
    await expect(page.get_by_role("button", name="Останавливается…")).to_be_visible()
    async with desk.database.unit() as unit:
        await unit.jobs.move(job, JobState.CANCELLED)
        await unit.commit()
    await expect(page.locator("#stage")).to_have_text("отменено")


async def test_a_version_is_put_to_work_tried_and_taken_back_by_clicks(
    desk: Desk, browser: Browser, tmp_path: Path
) -> None:
    first, second, third = [await register(desk, tmp_path, number) for number in (1, 2, 3)]
    page = await browser.new_page(viewport={"width": 360, "height": 800}, color_scheme="dark")
    await enter(page, desk)

    async def do(adapter: str, button: str, question: str) -> None:
        await page.get_by_role("link", name="Версии").click()
        await page.get_by_role("link", name=adapter).first.click()
        await page.get_by_role("button", name=button, exact=True).first.click()
        await expect(page.get_by_text(question)).to_be_visible()
        await check(page, f"sure-{button}")
        await page.get_by_role("button", name="Да", exact=True).click()
        await expect(page.get_by_role("heading", name=adapter, exact=True)).to_be_visible()

    await do(first, "В бой", "Пустить в бой?")
    await expect(page.get_by_text("отвечает", exact=True)).to_be_visible()
    await do(second, "Начать", "Запустить канарейку?")
    await expect(page.get_by_text("канарейка", exact=True)).to_be_visible()
    await do(second, "Убрать канарейку", "Убрать канарейку?")
    await do(third, "Отклонить", "Отклонить?")
    await page.get_by_role("link", name="Журнал").click()
    deeds = await page.locator("tbody tr td:nth-child(3)").all_inner_texts()
    assert deeds == ["отклонил", "остановил канарейку", "запустил канарейку", "пустил в бой"]
    async with desk.database.view() as unit:
        slot, rejected = await unit.slots.get("shared"), await unit.adapters.get(third)
    assert slot is not None and (slot.active, slot.canary) == (first, None)
    assert rejected is not None and rejected.state == "rejected"
    await page.get_by_role("button", name="Выйти").click()
    await page.goto(f"{desk.url}/dashboard/audit")
    await expect(page.get_by_label("Ключ администратора")).to_be_visible()


async def test_opened_inside_telegram_it_asks_for_no_key(serve: Serve, browser: Browser) -> None:
    desk = await serve(ApiSettings(), BotSettings(token=TOKEN, admins=(BOSS,)))
    page = await browser.new_page(viewport={"width": 360, "height": 800})
    address = f"{desk.url}/dashboard/#tgWebAppData={quote(signed(BOSS), safe='')}&tgWebAppVersion=8.0"
    await page.goto(address)
    await expect(page.get_by_role("heading", name="Сейчас", exact=True)).to_be_visible()
    assert "tgWebAppData" not in page.url
    copied = await (await browser.new_context()).new_page()
    await copied.goto(address)
    await expect(copied.get_by_text("Telegram не подтвердил")).to_be_visible()
