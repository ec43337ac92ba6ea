"""`/docs`: everything is described on one page that asks no other site, and can be tried there, by everybody."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, async_playwright, expect

from bot.api.reference.outline import kind, operations, sample
from tests.api.conftest import Desk
from tests.api.test_dashboard_pages import check
from tests.machine import chromium
from tests.playground.test_page import ARGS

WHOLE = {
    "paths": {},
    "components": {
        "schemas": {
            "Turn": {
                "type": "object",
                "required": ["role", "text"],
                "properties": {"role": {"enum": ["user", "bot"]}, "text": {"type": "string", "minLength": 1}},
            }
        }
    },
}


def test_types_are_told_in_a_few_words() -> None:
    turns = {"anyOf": [{"type": "array", "items": {"$ref": "#/components/schemas/Turn"}}, {"type": "null"}]}
    assert kind(WHOLE, turns) == "list of Turn"
    assert kind(WHOLE, {"type": "integer", "minimum": 1.0, "maximum": 3.0}) == "integer (1–3)"
    assert kind(WHOLE, {"type": "number", "minimum": 0.5}) == "number (from 0.5)"
    assert kind(WHOLE, {"enum": [-1, 0, 1]}) == "-1 | 0 | 1"
    assert kind(WHOLE, {"type": "string", "maxLength": 9}) == "string (up to 9)"
    assert kind(WHOLE, {}) == "anything"


def test_a_sample_has_what_is_required_and_nothing_else() -> None:
    body = {
        "type": "object",
        "required": ["turns", "n"],
        "properties": {
            "turns": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Turn"}},
            "n": {"type": "integer", "minimum": 2},
            "note": {"type": "string"},
        },
    }
    assert sample(WHOLE, body) == {"turns": [{"role": "user", "text": "…"}], "n": 2}


async def test_every_endpoint_is_there_and_no_other_site_is_asked(desk: Desk) -> None:
    async with httpx.AsyncClient(base_url=desk.url) as client:
        page = await client.get("/docs")
        whole = (await client.get("/openapi.json")).json()
    described = [f"{one.method.upper()} {one.path}" for found in operations(whole).values() for one in found]
    assert len(described) > 20 and all(f"<code>{one}</code>" in page.text for one in described)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_sample_of_the_page_is_a_request_that_works(desk: Desk) -> None:
    async with desk.client() as client:
        whole = (await client.get("/openapi.json")).json()
        chat = next(one for one in operations(whole)["chat"] if one.method == "post")
        answer = await client.post(chat.path, json=json.loads(chat.sample))
    assert answer.status_code == 200, answer.text


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as play:
        found = await play.chromium.launch(executable_path=chromium(), args=ARGS.split())
        yield found
        await found.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (360, "dark")])
async def test_it_is_read_and_tried_in_a_browser(desk: Desk, browser: Browser, width: int, scheme: str) -> None:
    page = await browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    await page.goto(f"{desk.url}/docs")
    await page.locator("summary", has_text="POST /v1/chat/completions").click()
    form = page.locator("form[data-path='/v1/chat/completions']")
    await form.get_by_role("button", name="Send").click()
    await expect(form.locator("pre")).to_contain_text("401")
    await page.get_by_label("Key for trying").fill(desk.key)
    await form.get_by_role("button", name="Send").click()
    await expect(form.locator("pre")).to_contain_text("chat.completion")
    await check(page, f"docs-{width}-{scheme}")
    assert all(url.startswith(desk.url) for url in asked)
