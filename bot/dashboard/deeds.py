"""What forms of the dashboard do: sign in and out, and the same deeds as in Telegram, confirmed and in the audit."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from bot.admin.deeds import Deeds, Outcome
from bot.api.jobs import METHODS
from bot.api.problems import Problem
from bot.dashboard.pages import shown
from bot.dashboard.sessions import COOKIE, Viewer, remember, same_form
from bot.dashboard.templating import TEMPLATES
from storage.repositories.slots import SHARED

router = APIRouter(prefix="/dashboard", include_in_schema=False)
Token = Annotated[str, Form(max_length=200)]
Short = Annotated[str, Form(max_length=64)]
Sure = Annotated[str, Form(max_length=3)]
ATTEMPTS = 10
WINDOW = 300
CHANGED = "Не получилось: за это время что-то изменилось. Посмотрите, как сейчас, и решите снова."
QUESTIONS = {
    "promote": "Пустить в бой? Все ответы станет давать эта версия. Прежнюю можно будет вернуть.",
    "canary": "Запустить канарейку? Часть диалогов встретит эту версию, остальные — прежнюю.",
    "end_canary": "Убрать канарейку? Все диалоги снова будет вести прежняя версия.",
    "reject": "Отклонить? Никто эту версию не встретит, её файлы со временем удалятся.",
    "own": "Вернуть исходную модель? Отвечать будет то, что у работников своё.",
}


@router.get("/login")
async def login_page() -> Response:
    """The way in."""
    return HTMLResponse(TEMPLATES.get_template("login.html").render(fault=""))


@router.post("/login")
async def login(request: Request, key: Annotated[str, Form(max_length=200)]) -> Response:
    """With an admin key. Ten attempts in five minutes from one address."""
    state = request.app.state
    place = state.sessions.keys.session(f"attempts-{request.client.host if request.client else 'unknown'}")
    attempts = await state.redis.incr(place)
    if attempts == 1:
        await state.redis.expire(place, WINDOW)
    session = await state.sessions.by_key(key) if attempts <= ATTEMPTS else None
    if session is None:
        fault = "Этот ключ сюда не пускает." if attempts <= ATTEMPTS else "Слишком много попыток, подождите пять минут."
        return HTMLResponse(TEMPLATES.get_template("login.html").render(fault=fault), 401)
    await state.redis.delete(place)
    return _entered(request, session)


@router.post("/telegram")
async def telegram(request: Request, init_data: Annotated[str, Form(max_length=4096)]) -> Response:
    """From Telegram, which signs who opened the page."""
    session = await request.app.state.sessions.by_telegram(init_data)
    if session is None:
        fault = "Telegram не подтвердил, что вы администратор. Закройте страницу и откройте её из /admin снова."
        return HTMLResponse(TEMPLATES.get_template("login.html").render(fault=fault), 401)
    return _entered(request, session)


@router.post("/logout")
async def logout(request: Request, csrf: Token) -> Response:
    """Out."""
    viewer = await _viewer(request, csrf)
    await request.app.state.sessions.end(viewer.session)
    response = RedirectResponse("/dashboard/login", 303)
    response.delete_cookie(COOKIE, path="/dashboard")
    return response


@router.post("/adapters/{adapter_id}")
async def decide(
    request: Request,
    adapter_id: str,
    csrf: Token,
    deed: Short,
    slot: Short = SHARED,
    percent: Annotated[int, Form(ge=1, le=100)] = 10,
    revision: Annotated[int | None, Form()] = None,
    sure: Sure = "",
) -> Response:
    """Ask, then do: promote, canary, end_canary, reject, or own (what the workers have by themselves)."""
    viewer = await _viewer(request, csrf)
    if deed not in QUESTIONS:
        raise Problem(422, "deed", "Такого действия нет.")
    if sure != "yes":
        asked = {"slot": slot, "percent": percent, "revision": revision, "deed": deed}
        return await shown(
            request, "sure.html", "adapters", question=QUESTIONS[deed], action=f"adapters/{adapter_id}", asked=asked
        )
    outcome = await _do(request.app.state.deeds, viewer, adapter_id, deed, slot, percent, revision)
    if not outcome.done:
        raise Problem(409, "not_done", outcome.why or CHANGED)
    return RedirectResponse(f"/dashboard/adapters/{adapter_id}", 303)


async def _do(
    deeds: Deeds, viewer: Viewer, adapter: str, deed: str, slot: str, percent: int, revision: int | None
) -> Outcome:
    if deed in ("promote", "own"):
        return await deeds.promote(viewer.actor, None if deed == "own" else adapter, slot, expected=revision)
    if deed == "canary":
        return await deeds.canary(viewer.actor, adapter, slot, percent, expected=revision)
    if deed == "end_canary":
        return await deeds.end_canary(viewer.actor, adapter, slot)
    async with deeds.database.view() as unit:
        row = await unit.adapters.get(adapter)
    return await deeds.reject(viewer.actor, adapter, (row.job_id if row else None) or "")


@router.post("/jobs")
async def start(request: Request, csrf: Token, method: Short, slot: Short) -> Response:
    """Order a refit; the one that is open for the slot, if there is one."""
    viewer = await _viewer(request, csrf)
    known = {SHARED, *(preset.id for preset in request.app.state.catalogue.all)}
    if method not in METHODS or slot not in known:
        raise Problem(422, "method", "Такого метода или места нет.")
    row = await request.app.state.deeds.order(viewer.actor, secrets.token_hex(8), method, slot)
    return RedirectResponse(f"/dashboard/jobs/{row.job_id}", 303)


@router.post("/jobs/{job_id}/cancel")
async def cancel(request: Request, job_id: str, csrf: Token) -> Response:
    """Stop a refit."""
    viewer = await _viewer(request, csrf)
    outcome = await request.app.state.deeds.cancel(viewer.actor, job_id)
    if not outcome.done:
        raise Problem(409, "not_done", outcome.why or CHANGED)
    return RedirectResponse(f"/dashboard/jobs/{job_id}", 303)


async def _viewer(request: Request, csrf: str) -> Viewer:
    viewer: Viewer = await request.app.state.sessions.viewer(request)
    same_form(viewer, csrf)
    return viewer


def _entered(request: Request, session: str) -> Response:
    response = RedirectResponse("/dashboard/", 303)
    remember(request, response, session)
    return response
