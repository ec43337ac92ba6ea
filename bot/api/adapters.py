"""`/v1/adapters` and `/v1/slots`: what was trained, who answers, and changing it. The same deeds as in Telegram."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from bot.admin.deeds import Deeds, Outcome
from bot.api.access import Caller, needs
from bot.api.chat import IdempotencyKey
from bot.api.once import Once
from bot.api.problems import Problem
from storage.loop_tables import AdapterRow, SlotChangeRow, SlotRow
from storage.repositories.slots import SHARED

router = APIRouter(prefix="/v1", tags=["adapters"])
Looking = Annotated[Caller, Depends(needs("chat", "admin"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
SlotName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,23}$", description="A preset id, or `shared`.")]


class AdapterCard(BaseModel):
    """One adapter of the registry with its lineage."""

    id: str
    kind: str
    method: str
    state: str
    base: str
    parent: str | None
    job_id: str | None
    sha256: str
    size: int
    tainted: bool
    created_at: datetime
    data: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    verdict: dict[str, Any] | None = None


class AdapterList(BaseModel):
    """Newest first."""

    adapters: list[AdapterCard]


class SlotCard(BaseModel):
    """Who answers a preset's requests, or everybody's; None: what the worker has by itself."""

    name: str
    active: str | None
    canary: str | None
    share: float
    revision: int


class SlotList(BaseModel):
    """All slots."""

    slots: list[SlotCard]


class SlotChange(BaseModel):
    """One change of a slot."""

    action: str
    before: str | None
    after: str | None
    share: float | None
    by: int | None
    reason: str
    at: datetime


class SlotHistory(BaseModel):
    """Newest first."""

    changes: list[SlotChange]


class Promotion(BaseModel):
    """Which adapter is to answer; None: what the worker has by itself. `revision`: of the slot as the caller saw it."""

    adapter: Annotated[str, Field(max_length=64)] | None
    revision: int | None = None


class Canary(BaseModel):
    """Which adapter is to meet how many of a hundred dialogues."""

    adapter: str = Field(max_length=64)
    percent: int = Field(ge=1, le=100)
    revision: int | None = None


@router.get("/adapters")
async def adapters(request: Request, caller: Looking, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> AdapterList:
    """The registry, newest first."""
    async with request.app.state.database.view() as unit:
        return AdapterList(adapters=[card(row) for row in await unit.adapters.all(limit)])


@router.get("/adapters/{adapter_id}")
async def adapter(request: Request, adapter_id: str, caller: Looking) -> AdapterCard:
    """One adapter with what it learned from, in counts, and what the gate measured."""
    async with request.app.state.database.view() as unit:
        row = await unit.adapters.get(adapter_id) if len(adapter_id) <= 64 and "\0" not in adapter_id else None
    if row is None:
        raise Problem(404, "no_such_adapter", "there is no such adapter; see GET /v1/adapters")
    return card(row)


@router.get("/slots")
async def slots(request: Request, caller: Looking) -> SlotList:
    """Who answers."""
    async with request.app.state.database.view() as unit:
        return SlotList(slots=[_slot(row) for row in await unit.slots.all()])


@router.get("/slots/{slot}/history")
async def history(
    request: Request, slot: SlotName, caller: Admin, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> SlotHistory:
    """What happened to a slot."""
    async with request.app.state.database.view() as unit:
        return SlotHistory(changes=[_change(row) for row in await unit.slots.history(slot, limit)])


@router.post("/slots/{slot}/promote", response_model=SlotCard)
async def promote(
    request: Request,
    response: Response,
    slot: SlotName,
    given: Promotion,
    caller: Admin,
    once_key: IdempotencyKey = None,
) -> Any:
    """Let an adapter answer; one that answered here before is gone back to."""
    deeds = await _deeds(request, slot)

    async def work() -> dict[str, Any]:
        _done(await deeds.promote(caller.chat_id, given.adapter, slot, expected=given.revision))
        return (await _one(request, slot)).model_dump(mode="json")

    return await _once(request, response, caller, once_key, f"promote {slot}", given, work)


@router.post("/slots/{slot}/canary", response_model=SlotCard)
async def canary(
    request: Request,
    response: Response,
    slot: SlotName,
    given: Canary,
    caller: Admin,
    once_key: IdempotencyKey = None,
) -> Any:
    """Let an adapter meet a share of the dialogues, or another share of them."""
    deeds = await _deeds(request, slot)

    async def work() -> dict[str, Any]:
        _done(await deeds.canary(caller.chat_id, given.adapter, slot, given.percent, expected=given.revision))
        return (await _one(request, slot)).model_dump(mode="json")

    return await _once(request, response, caller, once_key, f"canary {slot}", given, work)


@router.delete("/slots/{slot}/canary")
async def end_canary(request: Request, slot: SlotName, caller: Admin) -> SlotCard:
    """Take the canary away."""
    deeds = await _deeds(request, slot)
    found = await _one(request, slot)
    if found.canary is not None:
        _done(await deeds.end_canary(caller.chat_id, found.canary, slot))
    return await _one(request, slot)


async def _once(
    request: Request,
    response: Response,
    caller: Caller,
    once_key: str | None,
    what: str,
    given: BaseModel,
    work: Callable[[], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    once: Once = request.app.state.once
    answer, repeated = await once.run(caller, once_key, {"what": what, **given.model_dump(mode="json")}, work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


async def _deeds(request: Request, slot: str) -> Deeds:
    known = {SHARED, *(preset.id for preset in request.app.state.catalogue.all)}
    if slot not in known:
        raise Problem(404, "no_such_slot", f"slots are {SHARED} and the presets' ids")
    deeds: Deeds = request.app.state.deeds
    return deeds


def _done(outcome: Outcome) -> None:
    if not outcome.done:
        detail = outcome.why or "things have changed since; look again and decide anew"
        raise Problem(409, "not_done", detail)


async def _one(request: Request, slot: str) -> SlotCard:
    async with request.app.state.database.view() as unit:
        row = await unit.slots.get(slot)
    return _slot(row) if row else SlotCard(name=slot, active=None, canary=None, share=0.0, revision=0)


def card(row: AdapterRow) -> AdapterCard:
    """A row as the API shows it."""
    return AdapterCard(
        id=row.adapter_id,
        kind=row.kind,
        method=row.method,
        state=row.state,
        base=row.base,
        parent=row.parent,
        job_id=row.job_id,
        sha256=row.sha256,
        size=row.size,
        tainted=row.tainted_at is not None,
        created_at=row.created_at,
        data=row.data,
        metrics=row.metrics,
        verdict=row.verdict,
    )


def _slot(row: SlotRow) -> SlotCard:
    return SlotCard(name=row.name, active=row.active, canary=row.canary, share=row.share, revision=row.revision)


def _change(row: SlotChangeRow) -> SlotChange:
    return SlotChange(
        action=row.action,
        before=row.before,
        after=row.after,
        share=row.share,
        by=row.by,
        reason=row.reason,
        at=row.at,
    )
