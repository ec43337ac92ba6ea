"""`/v1/jobs`: start a refit, watch it by server-sent events, cancel it. For keys of the scope admin."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from bot.admin.deeds import Deeds
from bot.api.access import Caller, Gatekeeper, needs
from bot.api.chat import IdempotencyKey
from bot.api.once import Once
from bot.api.problems import Problem
from bot.api.watching import server_sent
from storage.contracts import JobState
from storage.database import Database
from storage.loop_tables import JobRow
from storage.repositories.jobs import ENDED
from storage.repositories.slots import SHARED

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
Admin = Annotated[Caller, Depends(needs("admin"))]
METHODS = ("auto", "sft", "dpo", "simpo", "kto", "rlhf")


class JobRequest(BaseModel):
    """What to train. `auto` chooses by what people said."""

    method: str = Field(default="auto", pattern="^(" + "|".join(METHODS) + ")$")
    slot: str = Field(default=SHARED, pattern=r"^[a-z][a-z0-9_]{0,23}$", description="A preset id, or `shared`.")


class JobCard(BaseModel):
    """How a refit stands."""

    id: str
    state: str
    slot: str
    trigger: str
    method: str | None
    step: int | None
    steps: int | None
    loss: float | None
    eta_seconds: float | None
    adapter: str | None
    plan: dict[str, Any]
    verdict: dict[str, Any] | None
    error: str | None
    cancelling: bool
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class JobList(BaseModel):
    """Newest first."""

    jobs: list[JobCard]


@router.get("")
async def jobs(request: Request, caller: Admin, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> JobList:
    """The newest refits."""
    async with request.app.state.database.view() as unit:
        return JobList(jobs=[card(row) for row in await unit.jobs.last(limit)])


@router.post("", response_model=JobCard, status_code=201, responses={200: {"model": JobCard}})
async def start(
    request: Request, response: Response, given: JobRequest, caller: Admin, once_key: IdempotencyKey = None
) -> Any:
    """Queue a refit; while one is open for the slot, that one is the answer (200)."""
    deeds: Deeds = request.app.state.deeds
    once: Once = request.app.state.once
    known = {SHARED, *(preset.id for preset in request.app.state.catalogue.all)}
    if given.slot not in known:
        raise Problem(422, "no_such_slot", f"slots are {SHARED} and the presets' ids", field="slot")
    job_id = secrets.token_hex(8)

    async def work() -> dict[str, Any]:
        row = await deeds.order(caller.chat_id, job_id, given.method, given.slot)
        return card(row).model_dump(mode="json")

    answer, repeated = await once.run(caller, once_key, given.model_dump(mode="json"), work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    if answer["id"] != job_id:
        response.status_code = 200
    return answer


@router.get("/{job_id}")
async def job(request: Request, job_id: str, caller: Admin) -> JobCard:
    """One refit."""
    return card(await _find(request.app.state.database, job_id))


@router.post("/{job_id}/cancel", response_model=JobCard, status_code=202)
async def cancel(
    request: Request, response: Response, job_id: str, caller: Admin, once_key: IdempotencyKey = None
) -> Any:
    """Ask a refit to stop; what serves stays as it is."""
    deeds: Deeds = request.app.state.deeds
    once: Once = request.app.state.once
    await _find(request.app.state.database, job_id)

    async def work() -> dict[str, Any]:
        outcome = await deeds.cancel(caller.chat_id, job_id)
        if not outcome.done:
            raise Problem(409, "not_cancelled", "the refit has ended, was trained already, or is being stopped")
        return card(await _find(request.app.state.database, job_id)).model_dump(mode="json")

    answer, repeated = await once.run(caller, once_key, {"what": "cancel", "job": job_id}, work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(request: Request, job_id: str, caller: Admin) -> StreamingResponse:
    """A refit as it goes on: an event `job` with every change, until it has ended or waits for a decision."""
    row = await _find(request.app.state.database, job_id)
    gatekeeper: Gatekeeper = request.app.state.gatekeeper
    told = server_sent(request.app.state.watch, row, lambda: gatekeeper.in_force(caller.key_id))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


def text_of(row: JobRow) -> str:
    """A refit as an event's data."""
    return json.dumps(card(row).model_dump(mode="json"), ensure_ascii=False)


def over(row: JobRow) -> bool:
    """Whether a refit has ended, or waits for a decision."""
    return row.state in (*ENDED, JobState.GATED)


async def _find(database: Database, job_id: str) -> JobRow:
    async with database.view() as unit:
        row = await unit.jobs.get(job_id) if len(job_id) <= 64 and "\0" not in job_id else None
    if row is None:
        raise Problem(404, "no_such_job", "there is no such refit; see GET /v1/jobs")
    return row


def card(row: JobRow) -> JobCard:
    """A row as the API shows it."""
    return JobCard(
        id=row.job_id,
        state=row.state,
        slot=row.slot,
        trigger=row.trigger,
        method=row.method or row.order.get("method"),
        step=row.step,
        steps=row.steps,
        loss=row.loss,
        eta_seconds=row.eta_seconds,
        adapter=row.adapter_id,
        plan=row.plan,
        verdict=row.verdict,
        error=row.error,
        cancelling=row.cancel,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
