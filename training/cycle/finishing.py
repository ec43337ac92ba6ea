"""The end of a refit: its adapter goes into the registry, the verdict into the job's row, the picture to the admins.

Doing it twice leaves one adapter and one verdict. Knows no training.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from storage.contracts import JobState, Serving
from storage.loop_tables import AdapterRow, JobRow
from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.cycle.progress import Progress

if TYPE_CHECKING:
    from training.cycle.running import Running

log = structlog.get_logger(__name__)


class Adapters(Protocol):
    """The part of the registry that a refit needs."""

    async def add(
        self,
        folder: Path,
        *,
        kind: str,
        base: str,
        method: str,
        parent: str | None = None,
        job_id: str | None = None,
        prompt: str | None = None,
        data: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        verdict: dict[str, Any] | None = None,
        people: Iterable[int] = (),
    ) -> AdapterRow:
        """Take an adapter in; the same content again is the same adapter."""

    async def reject(self, adapter_id: str, *, by: int | None = None, reason: str = "") -> Serving:
        """Nobody is to meet it."""

    async def promote(
        self, adapter_id: str | None, *, slot: str = "shared", by: int | None = None, reason: str = ""
    ) -> Serving:
        """Let it answer."""

    async def begin_canary(
        self,
        adapter_id: str,
        share: float,
        *,
        slot: str = "shared",
        job_id: str | None = None,
        by: int | None = None,
        reason: str = "",
    ) -> Serving:
        """Let some meet it."""


async def finish(running: Running, row: JobRow, order: Order, folder: JobFolder) -> None:
    """Register, decide what happens next, say so."""
    from training.cycle.running import JobFailed

    told, plan, sets = (folder.read(name) or {} for name in ("verdict", "plan", "sets"))
    # `base` as MODELS_BASE names it; the adapter's own `base` is the very weights, which workers check.
    data = {"base": order.base, "rows": plan.get("rows")} | {key: sets.get(key) for key in ("manifest", "counts")}
    method = str(plan["method"])
    try:
        adapter = await running.registry.add(
            folder.adapter(method),
            kind="lora",
            base=told.get("base") or order.base,
            method=method,
            parent=order.start.adapter_id,
            job_id=order.job_id,
            prompt=told.get("prompt"),
            data=data,
            metrics=told.get("metrics"),
            verdict=told,
            people=sets.get("people", ()),
        )
    except ValueError as error:
        raise JobFailed(str(error)) from error
    if folder.pictured.is_file():
        await running.news.picture(order.job_id, await asyncio.to_thread(folder.pictured.read_bytes))
    state = await _next(running, order, adapter, told)
    notes = {"adapter_id": adapter.adapter_id, "verdict": told, "method": method, "eta_seconds": None, "error": None}
    async with running.database.unit() as unit:
        await unit.jobs.move(order.job_id, state, _first(told), owner=running.owner, **notes)
        await unit.commit()
    running.shown(state, Progress())
    await running.news.tell(order.job_id, state, verdict=told.get("text_ru"))
    log.info("refit done", job=order.job_id, state=state.value, adapter=adapter.adapter_id)


async def _next(running: Running, order: Order, adapter: AdapterRow, told: dict[str, Any]) -> JobState:
    """Where the adapter goes: to nobody, to some, to all, or to wait for an admin."""
    settings, registry, name = running.settings, running.registry, adapter.adapter_id
    async with running.database.view() as unit:
        slot = await unit.slots.get(order.slot)
    if slot is not None and slot.active == name:
        return JobState.LIVE  # nothing new was learned, or the step was done before a crash
    if not told.get("passed"):
        await registry.reject(name, reason=_first(told))
        return JobState.REJECTED
    if adapter.tainted_at is not None:
        return JobState.GATED
    reason = f"refit {order.job_id}: {_first(told)}"
    if settings.auto_canary:
        if slot is None or slot.canary != name:
            await registry.begin_canary(
                name, settings.canary_share, slot=order.slot, job_id=order.job_id, reason=reason
            )
        return JobState.CANARY
    if settings.auto_promote:
        await registry.promote(name, slot=order.slot, reason=reason)
        return JobState.LIVE
    return JobState.GATED


def _first(told: dict[str, Any]) -> str:
    return next(iter(told.get("reasons_ru", ())), "")
