"""The package for Zoho CRM: what is in it, and its page in Chromium with a small stand-in for Zoho's SDK."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Route, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from bot.api.settings import ApiSettings
from bot.widget.zoho_package import SDK, Zoho, write
from otklik.widget import main
from tests.api.conftest import Serve
from tests.widget.conftest import check, make_token
from tests.widget.test_page import rows

# What the page uses of Zoho's SDK, answering in the shapes that Zoho's documentation shows.
STAND_IN = """
const RECORD = {id: "77", Subject: "Где заказ?", Description: "<p>Жду <b>неделю</b></p><script>alert(1)</" + "script>",
  Contact_Name: {id: "55", name: "Иван"}};
let loaded;
window.ZOHO = {
  embeddedApp: {
    on: (name, act) => { if (name === "PageLoad") loaded = act; },
    init: async () => loaded({Entity: "Cases", EntityId: ["77"]}),
  },
  CRM: {
    CONFIG: {getCurrentUser: async () => ({users: [{id: "900", full_name: "Мария"}]})},
    API: {getRecord: async ({Entity, RecordID}) => ({data: Entity === "Cases" && RecordID === "77" ? [RECORD] : []})},
    FUNCTIONS: {execute: async (name, {arguments}) =>
      ({code: "success", details: {output: await window.onZohosServer(name, arguments)}})},
  },
};
"""


@asynccontextmanager
async def zoho(listening: socket.socket, folder: Path, policy: str) -> AsyncIterator[None]:
    """Serves an unpacked package as Zoho does: from an origin of its own, under the manifest's policy."""

    async def guarded(request: Request, call_next: object) -> Response:
        answer: Response = await call_next(request)  # type: ignore[operator]
        answer.headers["Content-Security-Policy"] = policy
        return answer

    middleware = [Middleware(BaseHTTPMiddleware, dispatch=guarded)]
    app = Starlette(routes=[Mount("/", StaticFiles(directory=folder))], middleware=middleware)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, ws="none"))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def test_the_package_is_laid_out_as_zoho_wants_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made" / "otklik.zip"
    arguments = ["zoho", "--out", str(out), "--api", "https://otklik.example.com/", "--field", "Вопрос"]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "otklik.zip: 12 files" in told.out and "API_ORIGINS" in told.err
    with zipfile.ZipFile(out) as archive:
        names = set(archive.namelist())
        page = archive.read("app/widget.html").decode()
        manifest = json.loads(archive.read("plugin-manifest.json"))
        scripts = "".join(archive.read(name).decode() for name in names if name.endswith(".js"))
    assert manifest == {
        "service": "CRM",
        "cspDomains": {"connect-src": ["https://otklik.example.com"], "script-src": ["https://live.zwidgets.com"]},
        "config": [],
    }
    assert {"plugin-manifest.json", "app/widget.html", "app/zoho.js", "app/translations/en.json"} <= names
    assert not names & {"app/embedded.js", "app/otklik.js"}
    # Every file that the page and its scripts name is in the package, and only Zoho's SDK comes from elsewhere.
    named = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r'from "\./([^"]+)"', scripts)
    assert {name for name in named if name.startswith("http")} == {SDK}
    assert {f"app/{name}" for name in named if not name.startswith("http")} <= names
    assert "otk_" not in page + scripts and "{{" not in page
    function = out.with_suffix(".dg").read_text(encoding="utf-8")
    assert "https://otklik.example.com/v1/widget/sessions" in function and "{{" not in function
    before = out.read_bytes()
    assert main(arguments) == 0 and out.read_bytes() == before


@pytest.mark.parametrize("api", ["otklik.example.com", "http://otklik.example.com", "https://a.example/path", ""])
def test_an_address_that_zoho_could_not_call_is_refused(
    api: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["zoho", "--out", str(tmp_path / "x.zip"), "--api", api]) == 2
    assert "--api" in capsys.readouterr().err and not (tmp_path / "x.zip").exists()


@pytest.mark.browser
@pytest.mark.slow
async def test_its_page_asks_for_the_open_record_and_rates(
    serve: Serve, worker: object, browser: Browser, tmp_path: Path
) -> None:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://localhost:{listening.getsockname()[1]}"
    desk = await serve(ApiSettings(origins=(url,), widget_models=("otklik", "base")))
    write(Zoho(desk.url), tmp_path / "otklik.zip")
    with zipfile.ZipFile(tmp_path / "otklik.zip") as archive:
        archive.extractall(tmp_path / "package")
    allowed = json.loads((tmp_path / "package" / "plugin-manifest.json").read_text())["cspDomains"]
    lists = "; ".join(f"{name} 'self' {' '.join(values)}" for name, values in allowed.items())
    calls: list[tuple[str, object]] = []

    async def on_zohos_server(name: str, arguments: str) -> str:
        calls.append((name, json.loads(arguments)))
        return json.dumps({"token": await make_token(desk, json.loads(arguments)["who"])})

    async def sdk(route: Route) -> None:
        await route.fulfill(content_type="text/javascript", body=STAND_IN)

    async with zoho(listening, tmp_path / "package", f"default-src 'self'; {lists}"):
        page = await browser.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
        await page.clock.install()
        await page.route(SDK, sdk)
        await page.expose_function("onZohosServer", on_zohos_server)
        await page.goto(f"{url}/app/widget.html")
        await expect(page.get_by_role("article")).to_have_count(2)
        await expect(page.locator("#question")).to_have_text("Где заказ?\n\nЖду неделю")
        await page.get_by_role("article").first.get_by_role("button", name="Взять").click()
        await page.clock.fast_forward(6000)
        await expect(page.locator("#queue")).to_have_text("Всё сохранено")
        # The token ends; Zoho's server gives another one, and what waits is sent.
        for key in [key async for key in desk.redis.scan_iter("*widget*")]:
            await desk.redis.delete(key)
        await page.get_by_role("article").last.get_by_role("radio", name="5").first.check()
        await page.clock.fast_forward(6000)
        await expect(page.locator("#queue")).to_have_text("Всё сохранено")
        await check(page, "zoho")
    kept = await rows(desk)
    assert calls == [("otklik_session", {"who": "900"})] * 2
    assert len(kept["pairs"]) == 1 and len(kept["stars"]) == 1
    assert [trouble for trouble in troubles if "401" not in trouble] == []
