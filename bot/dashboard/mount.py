"""Puts the dashboard into the application: routes, static files, headers of its pages, errors as pages."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api import problems
from bot.api.problems import Problem
from bot.dashboard import deeds, pages
from bot.dashboard.sessions import Forged, SignIn
from bot.dashboard.templating import TEMPLATES

PLACE = "/dashboard"
SAFE = ("GET", "HEAD", "OPTIONS")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self' https://web.telegram.org"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}


class Guarded:
    """Adds the headers to everything under the dashboard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not str(scope["path"]).startswith(PLACE):
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [one for one in message["headers"] if one[0].lower() not in HEADERS]
                message["headers"] = [*kept, *HEADERS.items()]
            await send(message)

        if scope["method"] not in SAFE and _from_elsewhere(scope):
            await fault(403, "Эта форма не с этой страницы.")(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)


def _from_elsewhere(scope: Scope) -> bool:
    """Whether the browser says that another site's page sent this: signing somebody in has no token to check yet."""
    return any(name == b"sec-fetch-site" and value in (b"cross-site", b"same-site") for name, value in scope["headers"])


def mount(app: FastAPI) -> None:
    """Everything of the dashboard."""
    app.include_router(deeds.router)
    app.include_router(pages.router)
    app.mount(f"{PLACE}/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_middleware(Guarded)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse(f"{PLACE}/", 307)

    @app.exception_handler(SignIn)
    async def unknown(_request: Request, _error: SignIn) -> Response:
        return RedirectResponse(f"{PLACE}/login", 303)

    @app.exception_handler(Forged)
    async def forged(_request: Request, _error: Forged) -> Response:
        return fault(403, "Эта форма не с вашей страницы или устарела. Откройте страницу заново.")

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return fault(error.status, error.detail) if ours(request) else problems.answer(error)

    @app.exception_handler(HTTPException)
    async def missing(request: Request, error: HTTPException) -> Response:
        return fault(error.status_code, "Такой страницы нет.") if ours(request) else problems.plain(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        if ours(request):
            return fault(422, "В форме что-то не так. Вернитесь и попробуйте снова.")
        answer: JSONResponse = problems.invalid(error)
        return answer


def ours(request: Request) -> bool:
    """Whether a page was asked for, and not a program's endpoint."""
    return request.url.path.startswith(PLACE)


def fault(status: int, text: str) -> HTMLResponse:
    """An error as a page."""
    return HTMLResponse(TEMPLATES.get_template("fault.html").render(text=text), status)
