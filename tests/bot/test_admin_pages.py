"""The dashboard from /admin: a button of a Mini App where there is an address, and none where there is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bot.admin import texts
from bot.playground.world import World
from tests.bot.stage import stage
from tests.bot.trainer import show

ADMIN = World().next_person
PAGES = "https://otklik.example/dashboard/"


def apps(raw: dict[str, Any]) -> list[tuple[str, str]]:
    """Texts and addresses of the buttons that open a Mini App."""
    return [(one["text"], one["web_app"]["url"]) for row in raw["keyboard"] for one in row if "web_app" in one]


async def test_the_panel_opens_the_dashboard_inside_telegram(tmp_path: Path) -> None:
    async with stage(tmp_path, admins=(ADMIN,), dashboard_url=PAGES) as scene, scene.person() as anna:
        panel = await show(anna, "/admin", texts.PANEL)
        assert apps(panel.raw) == [(texts.DASHBOARD, PAGES)]
        await asyncio.sleep(1.1)  # the panel tells the second
        await anna.press_only(panel, panel.data(texts.REFRESH))
        changed = await anna.next_change(panel)
        assert apps(changed.raw) == [(texts.DASHBOARD, PAGES)]


async def test_without_an_address_there_is_no_button(tmp_path: Path) -> None:
    async with stage(tmp_path, admins=(ADMIN,)) as scene, scene.person() as anna:
        panel = await show(anna, "/admin", texts.PANEL)
        assert apps(panel.raw) == [] and [texts.REFRESH] in panel.buttons
