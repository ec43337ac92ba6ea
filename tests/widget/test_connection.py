"""The way to the server breaks: what an operator said arrives, and arrives once."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Route, expect

from storage.ratings import RatingBook
from tests.widget.conftest import Host, Opened
from tests.widget.test_page import ids, rows, stars

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOST = "Failed to load resource"


async def judged(one: Host) -> None:
    """The operator picks an edited answer and marks another."""
    await one.card("A").get_by_role("button", name="Править").click()
    await one.card("A").get_by_role("textbox").fill("Заказ едет")
    await one.card("A").get_by_role("button", name="Взять").click()
    await one.card("B").get_by_role("group", name="Стиль").get_by_role("radio", name="2").check()


async def arrived_once(one: Host, known: dict[str, str]) -> None:
    kept = await rows(one.desk)
    assert kept["pairs"] == [(known["A"], known["B"])]
    assert kept["corrections"] == [(known["A"], "Заказ едет")]
    assert kept["stars"] == {known["B"]: stars(None, None, None, 2)}
    assert kept["history"] == 3


async def test_answers_of_the_server_get_lost(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    known, lost = await ids(one), list[str]()

    async def lose(route: Route) -> None:
        key = str(await route.request.header_value("Idempotency-Key"))
        if key in lost:
            await route.continue_()
            return
        lost.append(key)
        await route.fetch()  # the server takes it, the page never hears of it
        await route.abort()

    await one.page.context.route("**/v1/ratings", lose)
    await judged(one)
    await one.saved()
    assert len(lost) == 2
    await arrived_once(one, known)
    one.troubles[:] = [trouble for trouble in one.troubles if LOST not in trouble]


async def test_offline_for_a_while(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    known = await ids(one)
    await one.page.context.set_offline(True)
    await judged(one)
    await one.page.clock.fast_forward(6000)
    await expect(one.frame.locator("#queue")).to_have_text("Нет связи, повторю. Ждут отправки: 2")
    await one.page.context.set_offline(False)
    await one.saved()
    await arrived_once(one, known)
    one.troubles[:] = [trouble for trouble in one.troubles if LOST not in trouble]


async def test_access_ends_and_the_host_gives_another(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    known = await ids(one)
    (name,) = [key async for key in one.desk.redis.scan_iter("*widget*")]
    await one.desk.redis.delete(name)
    await judged(one)
    await one.page.clock.fast_forward(6000)
    await expect(one.frame.locator("#queue")).to_have_text("Доступ истёк, жду нового. Ждут отправки: 2")
    assert [told["type"] for told in await one.heard()] == ["otklik.answer", "otklik.expired"]
    await one.session()
    await one.saved()
    await arrived_once(one, known)
    one.troubles[:] = [trouble for trouble in one.troubles if "401" not in trouble]


async def test_the_page_is_closed_at_once(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    known = await ids(one)
    await judged(one)
    await one.page.goto("about:blank")
    book = RatingBook(one.desk.redis, one.desk.storage)
    async with asyncio.timeout(10):
        while await one.desk.redis.xlen(book.stream.stream) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await arrived_once(one, known)


async def test_a_question_that_failed_is_asked_again(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.page.context.route("**/v1/suggestions", lambda route: route.abort())
    await one.page.evaluate("otklik.ask({question: 'Где заказ?'})")
    await expect(one.frame.locator("#state")).to_have_text("Нет связи с сервером")
    await one.page.context.unroute("**/v1/suggestions")
    await one.frame.get_by_role("button", name="Повторить").click()
    await expect(one.card("A")).to_be_visible()
    one.troubles[:] = [trouble for trouble in one.troubles if LOST not in trouble]


async def test_a_page_over_plain_http(host: Opened) -> None:
    one = await host()
    # What a browser keeps from pages that came over plain HTTP from another machine.
    await one.page.add_init_script("delete Crypto.prototype.randomUUID; delete Navigator.prototype.clipboard;")
    await one.page.reload()
    await one.session()
    await one.ask()
    assert await one.frame.locator("body").evaluate("[typeof crypto.randomUUID, typeof navigator.clipboard]") == [
        "undefined",
        "undefined",
    ]
    known = await ids(one)
    await judged(one)
    await one.saved()
    await arrived_once(one, known)
