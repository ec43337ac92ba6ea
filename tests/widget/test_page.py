"""The operators' page in a real browser, embedded in a help desk's page of another origin."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from storage.repositories.articles import NewArticle
from tests.api.conftest import Desk
from tests.api.test_suggestions import store
from tests.widget.conftest import Host, Opened, check

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CRITERIA = ("content", "grammar", "structure", "style")
MODELS = ("otklik", "base", "otklik")


async def rows(desk: Desk) -> dict[str, Any]:
    """What lies in SQL once all ratings have come in, and how many they were."""
    count = 0
    while taken := await store(desk):
        count += taken
    async with desk.database.view() as unit:
        found = await unit.ratings.all()
    return {
        "history": count,
        "pairs": sorted((row.request_id, row.preferred_over) for row in found if row.preferred_over),
        "corrections": [(row.request_id, row.correction) for row in found if row.correction],
        "stars": {row.request_id: row.stars for row in found if row.stars},
        "thumbs": [row.request_id for row in found if row.thumb],
    }


def stars(*marks: int | None) -> dict[str, int | None]:
    return dict(zip(CRITERIA, marks, strict=True))


async def ids(one: Host) -> dict[str, str]:
    """Letter → request id, as the page has them."""
    found: dict[str, str] = {}
    for letter in "ABCD"[: await one.frame.locator("article").count()]:
        name = await one.card(letter).locator("input").first.get_attribute("name")
        found[letter] = str(name).split()[1]
    return found


async def test_edited_picked_and_marked_with_the_mouse(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask("<img src=x onerror=alert(1)> <b>Где</b> заказ?")
    await expect(one.frame.locator("#question")).to_have_text("<img src=x onerror=alert(1)> <b>Где</b> заказ?")
    assert await one.frame.locator("main img, main b").count() == 0
    first, second = one.card("A"), one.card("B")
    await first.get_by_role("button", name="Править").click()
    await first.get_by_role("textbox").fill("Заказ <i>уже</i> едет!")
    await first.get_by_role("button", name="Готово").click()
    await expect(first.get_by_role("heading")).to_have_text("Ответ A · исправлен")
    await first.get_by_role("button", name="Взять").click()
    for criterion, mark in (("Содержание", 5), ("Грамотность", 4), ("Структура", 3), ("Стиль", 2)):
        await first.get_by_role("group", name=criterion).get_by_role("radio", name=str(mark)).check()
    await second.get_by_role("group", name="Стиль").get_by_role("radio", name="1").check()
    await one.saved()
    known = await ids(one)
    kept = await rows(one.desk)
    text = "Заказ <i>уже</i> едет!"
    assert await one.heard() == [
        {"type": "otklik.answer", "text": text, "request_id": known["A"], "edited": True},
    ]
    assert kept["corrections"] == [(known["A"], text)]
    assert kept["pairs"] == [(known["A"], known["B"])]
    assert kept["stars"] == {known["A"]: stars(5, 4, 3, 2), known["B"]: stars(None, None, None, 1)}
    # The marks of an answer travelled together: correction, pair, two answers' stars.
    assert kept["history"] == 4
    await check(one.page, "mouse")


async def test_everything_with_the_keyboard_alone(host: Opened) -> None:
    one = await host(models=MODELS)
    await one.session()
    await one.ask()
    await one.page.evaluate("otklik.focus()")
    keys = one.page.keyboard
    await expect(one.card("A")).to_be_focused()
    await keys.press("ArrowRight")
    await keys.press("ArrowRight")
    await expect(one.card("C")).to_be_focused()
    for digit in "5432":
        await keys.press(digit)
    await keys.press("KeyB")  # the physical key, «И» in the Russian layout
    await expect(one.card("B")).to_be_focused()
    await keys.press("ArrowDown")
    await keys.press("4")
    await keys.press("F2")
    await expect(one.card("B").get_by_role("textbox")).to_be_focused()
    await keys.press("Control+A")
    await keys.type("Уже в пути, abcd 1234!")
    await keys.press("Escape")
    await expect(one.card("B")).to_be_focused()
    await keys.press("Control+C")
    await expect(one.frame.locator("#state")).to_have_text("Скопирован ответ B")
    assert await one.page.evaluate("navigator.clipboard.readText()") == "Уже в пути, abcd 1234!"
    await one.page.evaluate("otklik.focus()")
    await expect(one.card("A")).to_be_focused()
    await keys.press("KeyB")
    await keys.press("Enter")
    await expect(one.frame.locator("#state")).to_have_text("Взят ответ B")
    await keys.press("Shift+?")
    await expect(one.frame.locator("#keys")).to_be_visible()
    await check(one.page, "keyboard")
    await one.saved()
    known, kept = await ids(one), await rows(one.desk)
    assert kept["pairs"] == sorted((known["B"], known[other]) for other in "AC")
    assert kept["corrections"] == [(known["B"], "Уже в пути, abcd 1234!")]
    assert kept["stars"] == {known["C"]: stars(5, 4, 3, 2), known["B"]: stars(None, 4, None, None)}


async def test_radios_are_reached_by_tab_and_an_editor_picks_by_control_enter(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    await one.card("A").get_by_role("button", name="Копировать").focus()
    keys = one.page.keyboard
    await keys.press("Tab")
    await keys.press("ArrowRight")
    await expect(one.card("A").get_by_role("group", name="Содержание").get_by_role("radio", name="2")).to_be_checked()
    await keys.press("Tab")
    await keys.press("3")
    await expect(one.card("A").get_by_role("group", name="Грамотность").get_by_role("radio", name="3")).to_be_checked()
    await one.card("B").get_by_role("button", name="Править").click()
    await keys.press("Control+A")
    await keys.type("Иначе")
    await keys.press("Control+Enter")
    await expect(one.frame.locator("#state")).to_have_text("Взят ответ B")
    await one.saved()
    known, kept = await ids(one), await rows(one.desk)
    assert kept["stars"] == {known["A"]: stars(2, 3, None, None)}
    assert kept["corrections"] == [(known["B"], "Иначе")]


async def test_undone_within_seconds_it_was_never_sent(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    await one.card("B").get_by_role("button", name="Взять").click()
    undo = one.frame.get_by_role("button", name="Отменить")
    await undo.click()
    await expect(one.card("B").get_by_role("button", name="Взять")).to_be_visible()
    await one.card("A").get_by_role("group", name="Содержание").get_by_role("radio", name="2").check()
    await one.card("A").get_by_role("group", name="Стиль").get_by_role("radio", name="5").check()
    await one.page.keyboard.press("Control+z")
    await expect(one.card("A").get_by_role("group", name="Стиль").get_by_role("radio", name="5")).not_to_be_checked()
    await one.saved()
    # What has left cannot be undone, and is not offered.
    await expect(undo).to_be_hidden()
    known, kept = await ids(one), await rows(one.desk)
    assert kept["stars"] == {known["A"]: stars(2, None, None, None)} and kept["pairs"] == []
    told = [(message["type"], message["request_id"]) for message in await one.heard()]
    assert told == [("otklik.answer", known["B"]), ("otklik.undo", known["B"])]


async def test_undone_step_by_step_back_to_the_first_choice(host: Opened) -> None:
    one = await host(models=MODELS)
    await one.session()
    await one.ask()
    known = await ids(one)
    for letter in "ABC":
        await one.card(letter).get_by_role("button").first.click()
    for criterion, mark in (("Содержание", "1"), ("Стиль", "2"), ("Стиль", "4")):
        await one.card("C").get_by_role("group", name=criterion).get_by_role("radio", name=mark).check()
    undo = one.frame.get_by_role("button", name="Отменить")
    for _ in range(4):
        await undo.click()
    await expect(one.card("B").get_by_role("button").first).to_have_text("✓ Взят")
    await undo.click()
    await expect(undo).to_be_visible()
    await expect(one.card("A").get_by_role("button").first).to_have_text("✓ Взят")
    await one.saved()
    kept = await rows(one.desk)
    assert kept["pairs"] == sorted((known["A"], known[other]) for other in "BC") and kept["stars"] == {}
    assert [told["request_id"] for told in await one.heard()][-2:] == [known["B"], known["A"]]


async def test_two_questions_in_a_row_both_keep_their_choice(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask("Первый?")
    first = await ids(one)
    await one.card("A").get_by_role("button", name="Взять").click()
    await one.ask("Второй?")
    await expect(one.frame.locator(".words").first).to_contain_text("Второй?")
    second = await ids(one)
    await one.card("B").get_by_role("button", name="Взять").click()
    await one.saved()
    kept = await rows(one.desk)
    assert kept["pairs"] == sorted([(first["A"], first["B"]), (second["B"], second["A"])])


async def test_one_answer_alone_is_picked_with_a_thumb(host: Opened) -> None:
    one = await host(models=("otklik",))
    await one.session()
    await one.ask()
    await one.card("A").get_by_role("button", name="Взять").click()
    await one.saved()
    known, kept = await ids(one), await rows(one.desk)
    assert kept["thumbs"] == [known["A"]] and kept["pairs"] == []


async def test_danger_shows_help_and_no_answers(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.page.evaluate("otklik.ask({question: 'я хочу покончить с собой'})")
    await expect(one.frame.locator("#state")).to_contain_text("8-800")
    await expect(one.frame.locator("article")).to_have_count(0)


@pytest.mark.parametrize(("lang", "width", "scheme"), [("ru", 360, "light"), ("en", 1100, "dark"), ("en", 360, "dark")])
async def test_everybody_can_read_it(host: Opened, lang: str, width: int, scheme: str) -> None:
    one = await host(lang, height=900, models=MODELS, viewport={"width": width, "height": 1000}, color_scheme=scheme)
    name = f"{lang}-{width}-{scheme}"
    await check(one.page, f"{name}-waiting")
    await one.session()
    await one.ask("Здравствуйте! Заказ 4711 должен был приехать вчера. Слово" + "оченьдлинное" * 20)
    await one.card("B").get_by_role("radio").nth(3).check()
    await one.card("B").get_by_role("button").first.click()
    await one.card("A").get_by_role("button").nth(1).click()
    await one.frame.get_by_role("button", name={"ru": "Клавиши", "en": "Keys"}[lang]).click()
    await expect(one.card("B").get_by_role("button").first).to_have_text({"ru": "✓ Взят", "en": "✓ Picked"}[lang])
    await check(one.page, name)


async def test_articles_are_found_attached_removed_and_asked_with(host: Opened) -> None:
    one = await host()
    async with one.desk.database.unit() as unit:
        text = "Курьер приедет за два дня. <script>alert(1)</script>"
        articles = [NewArticle(f"Доставка {number}", f"{text} Зона {number}.") for number in range(4)]
        await unit.articles.replace("база", articles)
        await unit.commit()
    await one.session()
    await one.ask("Где заказ?")
    await expect(one.frame.get_by_text("База знаний", exact=True)).to_be_visible()
    keys = one.page.keyboard
    await one.page.evaluate("otklik.focus()")
    await expect(one.card("A")).to_be_focused()
    await keys.press("/")
    await expect(one.frame.get_by_role("searchbox")).to_be_focused()
    await keys.type("курьера и доставку")
    await keys.press("Enter")
    found = one.frame.locator(".found li")
    await expect(found).to_have_count(4)
    await expect(found.first).to_contain_text("<script>alert(1)</script>")
    for place in range(4):
        await found.nth(place).get_by_role("button").click()
    attached = one.frame.locator(".attached li")
    await expect(attached).to_have_count(3)
    await expect(one.frame.locator("#knowledge .soft").first).to_have_text("Больше статей не приложить")
    await attached.last.get_by_role("button", name="Убрать").click()
    await check(one.page, "knowledge")
    await one.frame.get_by_role("button", name="Спросить заново со статьями").click()
    await expect(one.card("A").locator(".words")).to_contain_text("Курьер приедет")
    await expect(one.card("A").locator(".words")).to_contain_text("Вопрос: Где заказ?")
    await one.ask("Другой вопрос")
    await expect(one.card("A").locator(".words")).to_contain_text("эхо: Другой вопрос")
    await expect(attached).to_have_count(0)


async def test_without_articles_there_is_no_search(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    await expect(one.frame.locator("#knowledge")).to_be_hidden()
