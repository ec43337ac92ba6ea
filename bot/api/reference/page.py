"""The routes of the page. Everything on it is escaped; its script and style come from this very server."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.api.reference.outline import operations

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@router.get("/docs")
async def page(request: Request) -> HTMLResponse:
    """Every endpoint with its fields."""
    pages = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    whole = request.app.openapi()
    text = pages.get_template("page.html").render(tags=operations(whole), about=whole["info"]["description"])
    return HTMLResponse(text, headers=HEADERS)


@router.get("/docs/try.js")
async def script() -> FileResponse:
    """What sends the forms."""
    return FileResponse(FOLDER / "try.js", media_type="text/javascript", headers=HEADERS)
