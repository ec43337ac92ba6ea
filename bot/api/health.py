"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the process. No key, nothing of anybody's dialogue."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether this process can serve; what it waits for otherwise."""

    ok: bool
    workers: int = 0
    queue: int = 0
    waits_for: list[str] = []


@router.get("/healthz")
async def healthy() -> Health:
    """The process lives."""
    return Health(ok=True)


@router.get("/readyz", responses={503: {"model": Health}})
async def ready(request: Request, response: Response) -> Health:
    """Redis, SQL and at least one worker are there; 503 otherwise."""
    state: Any = request.app.state
    missing: list[str] = []
    workers = queue = 0
    try:
        workers = await state.conversation.workers()
        queue = await state.conversation.requests.outstanding()
    except (RedisError, OSError):
        missing.append("redis")
    try:
        async with state.database.view() as unit:
            await unit.session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        missing.append("sql")
    if not missing and not workers:
        missing.append("worker")
    if missing:
        response.status_code = 503
    return Health(ok=not missing, workers=workers, queue=queue, waits_for=missing)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
