"""One refit from its row to its verdict: the states, each step in its own process, what is told meanwhile.

A step whose result is there is not done again, so a job that was killed anywhere goes on from there. Every change of
state checks that the job is still ours. Knows no method; torch never enters this process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from storage.contracts import JobState, TrainJob
from storage.database import Database
from storage.loop_tables import JobRow
from storage.settings import StorageSettings
from training.cycle import finishing, forgetting, progress, start
from training.cycle.child import PROGRAM, StepProcess, env_of
from training.cycle.draining import Drain
from training.cycle.finishing import Adapters
from training.cycle.holding import Hold, Interrupted, held
from training.cycle.news import News
from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.cycle.progress import Progress
from training.settings import TrainingSettings

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
NOTE_SECONDS = 5.0
# A stopping step saves a checkpoint after the batch that it is at; the trainer's supervisor waits a little longer.
PATIENCE = {"stop": 3.0, "cancel": 3.0, "lost": 0.0}
STOPPED = 75


class JobFailed(Exception):
    """The job is over; the text is for the admin who looks at it. `final`: another attempt would meet the same."""

    def __init__(self, reason: str, final: bool = True) -> None:
        super().__init__(reason)
        self.final = final


@dataclass
class Running:
    """What every job needs. `shown`: hears of states and progress too, for a command in a terminal."""

    database: Database
    registry: Adapters
    news: News
    storage: StorageSettings
    settings: TrainingSettings
    owner: str
    stop: asyncio.Event
    shown: Callable[[JobState, Progress], None] = field(default=lambda state, at: None)
    program: Sequence[str] = PROGRAM

    async def work(self, row: JobRow) -> None:
        """Do a claimed job to its end, or as far as it is ours."""
        log.info("refit", job=row.job_id, trigger=row.trigger, attempt=row.attempts)
        async with held(self.database, row.job_id, self.owner, self.settings.lease_seconds, self.stop) as hold:
            try:
                if row.cancel:
                    raise Interrupted("cancel")
                if row.attempts > self.settings.attempts:
                    raise JobFailed(_gave_up(row, self.settings.attempts))
                await Refit(self, row, hold).run()
            except Interrupted as interrupted:
                await self._interrupted(row, interrupted)
            except JobFailed as failed:
                await self._failed(row, failed)

    async def _interrupted(self, row: JobRow, interrupted: Interrupted) -> None:
        log.info("refit interrupted", job=row.job_id, why=interrupted.why)
        if interrupted.why == "cancel":
            async with self.database.unit() as unit:
                await unit.jobs.move(row.job_id, JobState.CANCELLED, "cancelled", owner=self.owner)
                await unit.commit()
            await self._tell(row.job_id, JobState.CANCELLED)
        elif interrupted.why == "stop":
            async with self.database.unit() as unit:
                # An orderly stop is no failed attempt.
                await unit.jobs.release(row.job_id, self.owner, attempts=max(0, row.attempts - 1))
                await unit.commit()

    async def _failed(self, row: JobRow, failed: JobFailed) -> None:
        log.warning("refit failed", job=row.job_id, final=failed.final)
        async with self.database.unit() as unit:
            if failed.final or row.attempts >= self.settings.attempts:
                await unit.jobs.move(row.job_id, JobState.FAILED, str(failed), owner=self.owner, error=str(failed))
            else:
                await unit.jobs.note(row.job_id, self.owner, error=str(failed))
                await unit.jobs.release(row.job_id, self.owner)
            await unit.commit()
        if failed.final or row.attempts >= self.settings.attempts:
            await self._tell(row.job_id, JobState.FAILED)

    async def _tell(self, job_id: str, state: JobState) -> None:
        self.shown(state, Progress())
        await self.news.tell(job_id, state)


def _gave_up(row: JobRow, attempts: int) -> str:
    last = f"; the last one: {row.error}" if row.error else ": each ended with its trainer"
    return f"given up after {attempts} attempts without progress{last}"


class Refit:
    """One job that we hold."""

    def __init__(self, running: Running, row: JobRow, hold: Hold) -> None:
        self.all, self.row, self.hold = running, row, hold
        self.state = JobState(row.state)
        self.folder = JobFolder.of(running.storage.dir, row.job_id)
        self.told = 0.0
        self.progressed = False

    async def run(self) -> None:
        """Every step that is left, then the adapter's way into the registry."""
        try:
            await asyncio.to_thread(self.folder.make)
            order = await self._order()
            while not await self._steps(order):
                order = await self._order()
        except OSError as error:
            raise JobFailed(f"{self.folder.path}: {error.strerror or error}") from error
        self.hold.check()
        await finishing.finish(self.all, self.row, order, self.folder)

    async def _order(self) -> Order:
        """What the steps are told; the weights are chosen once, so that every attempt compares the same."""
        asked = TrainJob.model_validate(self.row.order)
        known = self.folder.read("job")
        if known is not None:
            order = Order.model_validate({**known, "settings": self.all.settings})
        else:
            try:
                base = self.all.settings.base_name()
            except ValueError as error:
                raise JobFailed(str(error)) from error
            begun, incumbent, remarks = await start.weights(self.all.database, self.all.storage, self.row.slot, base)
            order = Order(
                job_id=self.row.job_id,
                slot=self.row.slot,
                method=self.all.settings.method if asked.method == "auto" else asked.method,
                recipe=Path(asked.recipe) if asked.recipe else None,
                overrides=asked.overrides,
                log=Path(asked.log) if asked.log else None,
                base=base,
                start=begun,
                incumbent=incumbent,
                anchor=await start.anchor(self.all.database, self.all.storage, self.row.slot, base, incumbent),
                remarks=remarks,
                settings=self.all.settings,
            )
        self.folder.write("job", order.model_dump(mode="json"))
        return order

    async def _steps(self, order: Order) -> bool:
        """All steps; False if somebody whose rows are in the sets was forgotten meanwhile, and all begins anew."""
        folder = self.folder
        if folder.read("plan") is None:
            await self._enter(JobState.PREPARING)
            await self._step("prepare", lambda: Progress())
        plan = folder.read("plan") or {}
        if plan.get("method") is None:
            first, *others = plan.get("ru") or ["учиться не на чем"]
            raise JobFailed(" ".join([first, "; ".join(others)]).strip())
        async with self.all.database.unit() as unit:
            await unit.jobs.note(
                self.row.job_id, self.all.owner, method=plan["method"], plan=plan, folder=self._place()
            )
            await unit.commit()
        if folder.read("verdict") is None:
            async with Drain(self.all.news, self.all.settings) as drain:
                await self._train(plan, drain)
                if await forgetting.concerns(self.all.database, folder):
                    forgetting.begin_anew(folder)
                    return False
                await self._enter(JobState.EVALUATING)
                await self._step("evaluate", lambda: progress.of_evaluation(folder), drain)
        if await forgetting.concerns(self.all.database, folder):
            forgetting.begin_anew(folder)
            return False
        return True

    async def _train(self, plan: dict[str, Any], drain: Drain) -> None:
        steps = [("train", str(plan["method"]))]
        if plan.get("preference"):
            steps.insert(0, ("reward", "reward"))
        for step, method in steps:
            if not (self.folder.adapter(method) / "adapter_config.json").is_file():
                await self._enter(JobState.TRAINING)
                await self._step(step, lambda method=method: progress.of_run(self.folder, method), drain)  # type: ignore[misc]

    def _place(self) -> str:
        return str(self.folder.path.relative_to(self.all.storage.dir.absolute()))

    async def _enter(self, state: JobState) -> None:
        """The job's next state, if it is another one."""
        self.hold.check()
        if self.state == state and self.row.state == state:
            return
        async with self.all.database.unit() as unit:
            await unit.jobs.move(
                self.row.job_id, state, owner=self.all.owner, step=None, steps=None, loss=None, eta_seconds=None
            )
            await unit.commit()
        self.state = state
        self.row.state = state.value
        await self._tell(Progress())

    async def _step(self, step: str, look: Callable[[], Progress], drain: Drain | None = None) -> None:
        """One step in its process, to its end; JobFailed, or Interrupted after it was stopped."""
        self.hold.check()
        await self._tell(look())
        before = look().step
        process = await StepProcess.start(
            step, self.folder, env_of(self.all.storage, self.all.settings), self.all.program
        )
        patience = 0.0
        try:
            while (code := await process.wait(LOOK_SECONDS)) is None:
                await self._watch(process, look(), before, drain)
        except Interrupted as interrupted:
            patience = PATIENCE[interrupted.why]
            raise
        finally:
            await process.stop(patience)
        self._judge(step, code)
        await self._on_the_way()

    async def _watch(self, process: StepProcess, at: Progress, before: int | None, drain: Drain | None) -> None:
        self.hold.check()
        budget = self.all.settings.memory_mb
        if budget is not None and (held := await asyncio.to_thread(process.memory)) > budget:
            raise JobFailed(
                f"the refit needed {held} MiB of memory, TRAINING_MEMORY_MB allows {budget}: raise it, or lower `rows` "
                "in the recipe"
            )
        if drain is not None:
            await drain.renew(at.eta_seconds)
        if at.step is not None and at.step > (before or 0):
            await self._on_the_way()
        await self._tell(at)

    async def _on_the_way(self) -> None:
        """Something was done that the next attempt need not do: attempts are counted anew."""
        if self.progressed:
            return
        self.progressed = True
        self.row.attempts = 1
        async with self.all.database.unit() as unit:
            await unit.jobs.note(self.row.job_id, self.all.owner, attempts=1)
            await unit.commit()

    def _judge(self, step: str, code: int) -> None:
        if code == 0:
            return
        told = self.folder.read("failure") or {}
        if told.get("step") == step:
            raise JobFailed(str(told["reason"]), bool(told["final"]))
        if code == STOPPED:
            raise JobFailed(f"{step} was stopped from outside", final=False)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        raise JobFailed(f"{step} {how}, perhaps for lack of memory; see {self.folder.log}", final=False)

    async def _tell(self, at: Progress) -> None:
        """Redis hears at every look, SQL now and then."""
        self.all.shown(self.state, at)
        await self.all.news.tell(self.row.job_id, self.state, at)
        if time.monotonic() - self.told < NOTE_SECONDS:
            return
        self.told = time.monotonic()
        async with self.all.database.unit() as unit:
            await unit.jobs.note(
                self.row.job_id,
                self.all.owner,
                step=at.step,
                steps=at.steps,
                loss=at.loss,
                eta_seconds=at.eta_seconds,
            )
            await unit.commit()
