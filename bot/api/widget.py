"""`/widget/` and `/v1/widget/sessions`: the operators' page, its files, and the short-lived tokens that it calls with.

The page talks to the API like any program; nothing here generates or rates.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel, Field

from bot.api.access import Caller, needs
from bot.api.catalogue_of_models import BASE, HIDDEN, OURS, resolve
from bot.api.problems import Problem
from bot.api.settings import ApiSettings
from bot.api.shapes import Words
from bot.api.widget_tokens import WidgetSession
from storage.database import Database

router = APIRouter(tags=["widget"])
Chatting = Annotated[Caller, Depends(needs("chat"))]
FILES = Path(__file__).parent.parent / "widget" / "static"
TYPES = {".js": "text/javascript", ".css": "text/css"}
SERVED = {path.name: TYPES[path.suffix] for path in FILES.iterdir() if path.suffix in TYPES}
# More than four nobody compares with care.
MOST = 4


class SessionRequest(BaseModel):
    """Who sits at the widget, and for how long."""

    operator: Words = Field(min_length=1, max_length=200, description="Your name for the operator.")
    minutes: int = Field(default=30, ge=15, le=60)


class SessionMade(BaseModel):
    """A token to hand to the page."""

    token: str
    expires_in: int = Field(description="Seconds.")


@router.post("/v1/widget/sessions", status_code=201)
async def open_session(request: Request, given: SessionRequest, caller: Chatting) -> SessionMade:
    """A short-lived token for one operator's browser. Call it from your server: the key has the scopes chat and rate.

    The token reaches suggestions, ratings and the knowledge base only, and ends with its key.
    """
    if "rate" not in caller.scopes:
        raise Problem(403, "scope", "this key lacks the scope «rate»; make one that has chat and rate")
    state = request.app.state
    models = await compared(state.database, state.settings)
    session = WidgetSession(caller.key_id, given.operator, models)
    seconds = given.minutes * 60
    return SessionMade(token=await state.gatekeeper.tokens.make(session, seconds), expires_in=seconds)


async def compared(database: Database, settings: ApiSettings) -> tuple[str, ...]:
    """Ids of the models that operators compare: the setting's, else otklik, base, the canaries, the newest adapters."""
    if settings.widget_models:
        for model in settings.widget_models:
            await resolve(database, model)
        return settings.widget_models
    async with database.view() as unit:
        rows, slots = await unit.adapters.all(), await unit.slots.all()
    live = {slot.active for slot in slots}
    canaries = [slot.canary for slot in slots if slot.canary]
    newest = [row.adapter_id for row in rows if row.state not in HIDDEN and row.adapter_id not in live]
    return tuple(dict.fromkeys((OURS, BASE, *canaries, *newest)))[:MOST]


def policy(origins: tuple[str, ...]) -> dict[str, str]:
    """Headers of the page: only its own files, framed only by the origins that are allowed."""
    ancestors = " ".join(origins) or "'none'"
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}; require-trusted-types-for 'script'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


@router.get("/widget/", include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """The page, told which origins may talk to it."""
    origins: tuple[str, ...] = request.app.state.settings.origins
    told = html.escape(json.dumps(origins), quote=True)
    text = (FILES / "index.html").read_text(encoding="utf-8").replace("{{origins}}", told)
    return HTMLResponse(text, headers=policy(origins))


@router.get("/widget/{name}", include_in_schema=False)
async def static(name: str) -> Response:
    """One of the page's files."""
    if name not in SERVED:
        raise Problem(404, "not_found", "there is no such file")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return FileResponse(FILES / name, media_type=SERVED[name], headers=headers)
