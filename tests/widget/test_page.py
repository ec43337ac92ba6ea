"""The operators' page in a real browser, embedded in a help desk's page of another origin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Desk
from tests.api.test_suggestions import store
from tests.widget.conftest import Opened, check

pytestmark = pytest.mark.browser


async def rows(desk: Desk, count: int) -> dict[str, list[tuple[str, Any]]]:
    """What lies in SQL, after so many ratings have come in."""
    assert await store(desk) == count
    async with desk.database.view() as unit:
        found = await unit.ratings.all()
    return {
        "pairs": [(row.request_id, row.preferred_over) for row in found if row.preferred_over],
        "corrections": [(row.request_id, row.correction) for row in found if row.correction],
        "stars": [(row.request_id, row.stars) for row in found if row.stars],
    }


async def test_an_operator_edits_picks_and_marks_with_the_mouse(host: Opened) -> None:
    one = await host()
    await one.session()
    await one.ask()
    first, second = one.card("A"), one.card("B")
    await first.get_by_role("button", name="Править").click()
    await first.get_by_role("textbox").fill("Заказ уже едет!")
    await first.get_by_role("button", name="Готово").click()
    await first.get_by_role("button", name="Взять").click()
    for criterion, mark in (("Содержание", 5), ("Грамотность", 4), ("Структура", 3), ("Стиль", 2)):
        await first.get_by_role("group", name=criterion).get_by_role("radio", name=str(mark)).check()
    await second.get_by_role("group", name="Стиль").get_by_role("radio", name="1").check()
    await one.saved()
    answer = (await one.heard())[0]
    assert (answer["type"], answer["text"], answer["edited"]) == ("otklik.answer", "Заказ уже едет!", True)
    kept = await rows(one.desk, 4)
    assert kept["corrections"] == [(answer["request_id"], "Заказ уже едет!")]
    assert [winner for winner, _ in kept["pairs"]] == [answer["request_id"]]
    stars = dict(kept["stars"])
    assert stars.pop(answer["request_id"]) == {"content": 5, "grammar": 4, "structure": 3, "style": 2}
    assert list(stars.values()) == [{"content": None, "grammar": None, "structure": None, "style": 1}]
    await check(one.page, "mouse")
