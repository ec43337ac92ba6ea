"""The pages. Each is one look at SQL and Redis and one template; nothing of anybody's dialogue is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from bot.admin import audit_view, card, names, panel, texts
from bot.api.agreement import figures
from bot.api.jobs import text_of
from bot.api.problems import Problem
from bot.api.watching import server_sent
from bot.dashboard.charts import shares
from bot.dashboard.sessions import SignIn, Viewer
from bot.dashboard.templating import TEMPLATES, WHY
from storage.contracts import now
from storage.loop_tables import JobRow
from storage.repositories.agreement import shared
from storage.repositories.figures import Figures
from storage.repositories.scores import scores
from storage.repositories.slots import SHARED

router = APIRouter(prefix="/dashboard", include_in_schema=False)
DAYS = 14


async def shown(request: Request, template: str, tab: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for whoever looks. SignIn if nobody known."""
    viewer: Viewer = await request.app.state.sessions.viewer(request)
    page = TEMPLATES.get_template(template).render(viewer=viewer, tab=tab, base="/dashboard", **values)
    return HTMLResponse(page, status)


@router.get("")
async def slash() -> Response:
    """Addresses on the page are relative to the folder."""
    return RedirectResponse("/dashboard/", 308)


@router.get("/")
async def overview(request: Request) -> Response:
    """What is going on, and fit over two weeks."""
    state = request.app.state
    presets = state.catalogue.current
    titles = {preset.id: preset.title for preset in state.catalogue.all}
    await state.sessions.viewer(request)
    found = await panel.look(state.database, state.conversation, state.board)
    moment = now()
    async with state.database.view() as unit:
        by_day = await Figures(unit.session).fits_by_day(moment - timedelta(days=DAYS - 1))
    days = [str((moment - timedelta(days=back)).date()) for back in reversed(range(DAYS))]
    chart = shares(days, {titles.get(name, name): one for name, one in by_day.items()})
    return await shown(
        request,
        "overview.html",
        "",
        now=found,
        open=max(0, int(state.metrics.registry.get_sample_value("otklik_api_open") or 0) - 1),  # this page is one
        chart=chart,
        titles=titles,
        slots=[(names.slot_title(slot.name, presets), slot) for slot in found.slots],
        jobs=[_job(request, job) for job in found.jobs],
    )


@router.get("/ratings")
async def ratings(request: Request, days: Annotated[int, Query(ge=1, le=3650)] = 30) -> Response:
    """Tables of marks by model, and whether people agree."""
    await request.app.state.sessions.viewer(request)
    async with request.app.state.database.view() as unit:
        since = now() - timedelta(days=days)
        table = await scores(unit.session, since=since)
        agreed = figures(await shared(unit.session, since=since))
        known = {row.adapter_id for row in await unit.adapters.all()}
    return await shown(request, "ratings.html", "ratings", scores=table, days=days, agreed=agreed, why=WHY, known=known)


@router.get("/adapters")
async def adapters(request: Request) -> Response:
    """The registry."""
    state = request.app.state
    await state.sessions.viewer(request)
    async with state.database.view() as unit:
        rows, slots = await unit.adapters.all(200), await unit.slots.all()
    titles = [(names.slot_title(slot.name, state.catalogue.current), slot) for slot in slots]
    return await shown(request, "adapters.html", "adapters", adapters=rows, slots=titles, hits=card.hits)


@router.get("/adapters/{adapter_id}")
async def adapter(request: Request, adapter_id: str) -> Response:
    """One of them: lineage, old against new, reasons, and what can be done with it."""
    state = request.app.state
    await state.sessions.viewer(request)
    async with state.database.view() as unit:
        row = await unit.adapters.get(adapter_id) if len(adapter_id) <= 64 and "\0" not in adapter_id else None
        slots = {slot.name: slot for slot in await unit.slots.all()}
        children = [one.adapter_id for one in await unit.adapters.all() if one.parent == adapter_id]
    if row is None:
        raise Problem(404, "no_such_adapter", "Такой версии нет.")
    picture = await state.board.picture(row.job_id) if row.job_id else None
    wanted = [SHARED, *(preset.id for preset in state.catalogue.current.presets)]
    return await shown(
        request,
        "adapter.html",
        "adapters",
        row=row,
        children=children,
        picture=picture is not None,
        compared=_compared(row.verdict),
        reasons=_reasons(row.verdict),
        passed=card.passed(row.verdict),
        data=json.dumps(row.data, ensure_ascii=False, indent=1),
        slots=[(name, names.slot_title(name, state.catalogue.current), slots.get(name)) for name in wanted],
    )


@router.get("/jobs")
async def jobs(request: Request) -> Response:
    """Refits, and a form to start one."""
    state = request.app.state
    await state.sessions.viewer(request)
    async with state.database.view() as unit:
        rows = await unit.jobs.last(50)
    summary = await state.board.summary()
    presets = state.catalogue.current
    slots = [(SHARED, names.slot_title(SHARED, presets)), *((one.id, one.title) for one in presets.presets)]
    return await shown(
        request,
        "jobs.html",
        "jobs",
        jobs=[_job(request, row) for row in rows],
        summary=summary,
        slots=slots,
        methods=[name for name in texts.METHOD_NAMES if name in ("auto", "kto", "dpo", "simpo", "sft", "rlhf")],
        method_names=texts.METHOD_NAMES,
    )


@router.get("/jobs/{job_id}")
async def job(request: Request, job_id: str) -> Response:
    """One refit; the page follows it by itself."""
    state = request.app.state
    await state.sessions.viewer(request)
    row = await _found(request, job_id)
    async with state.database.view() as unit:
        changes = await unit.jobs.changes(job_id)
    return await shown(
        request,
        "job.html",
        "jobs",
        job=_job(request, row),
        changes=changes,
        compared=_compared(row.verdict),
        reasons=_reasons(row.verdict),
        passed=card.passed(row.verdict),
        picture=await state.board.picture(job_id) is not None,
        stages=texts.STAGES,
    )


@router.get("/jobs/{job_id}/events")
async def events(request: Request, job_id: str) -> Response:
    """The refit as it goes on, for the page."""
    state = request.app.state
    await state.sessions.viewer(request)
    row = await _found(request, job_id)

    async def still() -> bool:
        try:
            await state.sessions.viewer(request)
        except SignIn:
            return False
        return True

    told = server_sent(state.watch, row, still)
    return StreamingResponse(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/jobs/{job_id}/picture.png")
async def picture(request: Request, job_id: str) -> Response:
    """Loss and old against new, as the trainer drew it."""
    await request.app.state.sessions.viewer(request)
    png = await request.app.state.board.picture(job_id) if len(job_id) <= 64 else None
    if png is None:
        raise Problem(404, "no_picture", "Картинки нет.")
    return Response(png, media_type="image/png")


@router.get("/people")
async def people(request: Request) -> Response:
    """Consent in numbers, and what learned from somebody who is gone."""
    state = request.app.state
    await state.sessions.viewer(request)
    async with state.database.view() as unit:
        counts = await Figures(unit.session).consents()
        tainted = [row for row in await unit.adapters.all() if row.tainted_at is not None]
    return await shown(request, "people.html", "people", counts=counts, tainted=tainted)


@router.get("/audit")
async def audit(request: Request) -> Response:
    """Who did what, or tried to."""
    await request.app.state.sessions.viewer(request)
    async with request.app.state.database.view() as unit:
        rows = await unit.audit.last(200)
        keys = {key.chat_id: f"ключ {key.key_id}, {key.name}" for key in await unit.api_keys.all()}
    told = [(row, keys.get(row.user_id) or audit_view.actor(row.user_id), audit_view.deed(row)) for row in rows]
    return await shown(request, "audit.html", "audit", rows=told)


async def _found(request: Request, job_id: str) -> JobRow:
    async with request.app.state.database.view() as unit:
        row: JobRow | None = await unit.jobs.get(job_id) if len(job_id) <= 64 and "\0" not in job_id else None
    if row is None:
        raise Problem(404, "no_such_job", "Такого обучения нет.")
    return row


def _job(request: Request, row: JobRow) -> dict[str, Any]:
    """A refit for people."""
    done = row.step / row.steps if row.step is not None and row.steps else None
    return {
        "row": row,
        "id": row.job_id,
        "stage": names.stage(row),
        "method": names.method_name(row),
        "slot": names.slot_title(row.slot, request.app.state.catalogue.current),
        "done": done,
        "json": text_of(row),
    }


def _compared(verdict: Mapping[str, Any] | None) -> list[tuple[str, float, float]]:
    return [(texts.CLAIMS.get(name, name), old, new) for name, old, new in card.pairs(verdict)]


def _reasons(verdict: Mapping[str, Any] | None) -> list[str]:
    found = (verdict or {}).get("reasons_ru", ())
    return [str(one) for one in found] if isinstance(found, list | tuple) else []
