"""Requests in, replies out: the core shared by the worker and the command line.

Feeds the engine through the scheduler, judges finished rounds, retries, isolates what crashes. Knows nothing of
Redis, leases or processes. Everything runs in the caller's thread, one `turn` at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from models.engine import Broken, Engine, Event, Finished, FirstToken, Row, Scorer
from models.errors import EngineBroken, EngineUnavailable, PromptTooLong, UnknownAdapter
from models.intake import Intake
from models.jobs import Job, Made, Task, bolder, ended, reply_done, reply_failed
from models.judging import Judge
from models.metrics import Metrics
from models.relevance import weighed
from models.scheduling import Limits, Load, Ticket, plan
from models.selection import Choice, choose, try_again, whole
from models.serving import Routes
from models.smoke import Trials, probe
from storage.contracts import Candidate, ChatReply, FailReason, ReplyState, now
from storage.presets import Presets

log = structlog.get_logger(__name__)

MAX_CRASHES = 3
# So many different requests that raised alone, with no answer between, speak against the engine and not against them.
MAX_SUSPECTS = 3


class Responder:
    """Answers many requests at once. Call `turn` while `busy`; it returns the replies that became ready."""

    def __init__(
        self,
        engine: Engine,
        judge: Judge,
        intake: Intake,
        limits: Limits,
        *,
        retries: int = 1,
        worker: str = "local",
        metrics: Metrics | None = None,
        relevance: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = now,
    ) -> None:
        self.engine = engine
        self.judge = judge
        self.intake = intake
        self.limits = limits
        self.retries = retries
        self.made = Made(engine.base_model, judge.name, worker)
        self.metrics = metrics or Metrics()
        self.clock = clock
        self.wall = wall
        self.waiting: list[Job] = []
        self.running: dict[str, Job] = {}
        self.relevance = relevance
        self.trials = Trials(intake.max_new_tokens, clock)
        self.raised_alone: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether another turn has anything to do."""
        return bool(self.waiting or self.running or self.trials.busy)

    def turn(self, tasks: Sequence[Task] = (), stops: Mapping[str, ReplyState] | None = None) -> list[ChatReply]:
        """Take in, admit, advance one step, judge. Every task is answered in this or a later turn, exactly once.

        `stops` ends requests early: cancelled or expired, by request id. EngineBroken: no request is at fault, and
        whatever is not answered must be left to other processes.
        """
        jobs, replies = self.intake.take(tasks, self.clock())
        self.waiting += jobs
        replies += self._stop({**self._late(), **(stops or {})})
        replies += self._admit()
        if not any(job.solo for job in self.running.values()):
            self.trials.admit(self.engine, self.intake.presets)
        replies += self._step()
        replies += self._judge([job for job in self.running.values() if job.round_done])
        self.metrics.waiting.set(len(self.waiting))
        return replies

    def _late(self) -> dict[str, ReplyState]:
        moment = self.wall()
        jobs = [*self.waiting, *self.running.values()]
        return {job.job_id: ReplyState.EXPIRED for job in jobs if job.request.deadline <= moment}

    def _stop(self, stops: Mapping[str, ReplyState]) -> list[ChatReply]:
        replies = []
        for job in [*self.waiting, *self.running.values()]:
            if job.job_id in stops:
                self._drop(job)
                saved = self._salvaged(job) if stops[job.job_id] is ReplyState.EXPIRED else None
                replies.append(saved or ended(job.request, stops[job.job_id]))
        return replies

    def _drop(self, job: Job) -> None:
        self.waiting = [other for other in self.waiting if other is not job]
        if self.running.pop(job.job_id, None) is not None:
            self.engine.cancel(list(job.pending))

    def _admit(self) -> list[ChatReply]:
        tickets = {job.job_id: (job, ticket(job)) for job in self.waiting}
        running = list(self.running.values())
        load = Load(
            rows=self.engine.running,
            longest=max((ticket(job).length for job in running), default=0),
            solo=any(job.solo for job in running),
        )
        chosen = plan([pair[1] for pair in tickets.values()], load, self.limits, self.clock())
        replies: list[ChatReply] = []
        for job_id in chosen:
            replies += self._start(tickets[job_id][0])
        return replies

    def _start(self, job: Job) -> list[ChatReply]:
        self.waiting = [other for other in self.waiting if other is not job]
        job.begin_round()
        rows = [
            Row(row_id, job.prompt, job.sampling, job.row_seed(index), job.adapter)
            for row_id, index in job.pending.items()
        ]
        job.clock.admitted = self.clock()
        try:
            self.engine.admit(rows)
        except Exception as error:
            self._restore(lambda: self.engine.cancel(list(job.pending)))
            return self._failed(job, error)
        self.running[job.job_id] = job
        return []

    def _step(self) -> list[ChatReply]:
        if not self.running and not self.trials.running:
            return []
        started = self.clock()
        self.metrics.batch_rows.observe(self.engine.running)
        try:
            events = self.engine.step()
        except Exception as error:
            log.error("decode step raised", error=type(error).__name__, requests=len(self.running))
            self.metrics.crashes.inc()
            self._restore(self.engine.reset)
            jobs = list(self.running.values())
            self.running.clear()
            if self.trials.crashed():
                # The adapter under test is suspected first: nobody's request is blamed for it.
                self.waiting = jobs + self.waiting
                return []
            return [reply for job in jobs for reply in self._failed(job, error)]
        self.metrics.step.observe(self.clock() - started)
        return self._collect(events)

    def _collect(self, events: Sequence[Event]) -> list[ChatReply]:
        replies: list[ChatReply] = []
        for event in events:
            if self.trials.take(event, self.engine.prompt_version):
                continue
            job = self.running.get(event.row_id.rsplit("/", 2)[0])
            if job is None or event.row_id not in job.pending:
                continue
            if isinstance(event, FirstToken):
                job.clock.first_token = job.clock.first_token or self.clock()
            elif isinstance(event, Finished):
                self.raised_alone.clear()
                self.metrics.tokens.inc(event.tokens)
                job.drawn = event.sampling or job.drawn
                text = event.text.strip()
                text = whole(text) if event.finish == "length" else text
                job.finished[event.row_id] = Candidate(
                    text=text, fit=0.0, tokens=event.tokens, finish=event.finish, likelihood=event.likelihood
                )
            else:
                replies += self._lost(job, event)
        return replies

    def _lost(self, job: Job, event: Broken) -> list[ChatReply]:
        """A row less to choose from; the request fails only with its last."""
        del job.pending[event.row_id]
        if job.pending:
            log.warning("row broke", request_id=job.job_id, error=type(event.error).__name__, left=len(job.pending))
            return []
        self._drop(job)
        return self._failed(job, event.error)

    def _failed(self, job: Job, error: Exception) -> list[ChatReply]:
        """Answer what cannot succeed; run what raised once more, alone, so that nobody else suffers from it.

        An earlier round's answers are sent rather than none.
        """
        known = {
            UnknownAdapter: FailReason.UNKNOWN_ADAPTER,
            PromptTooLong: FailReason.TOO_LONG,
            EngineUnavailable: FailReason.ENGINE,
        }
        for kind, reason in known.items():
            if isinstance(error, kind):
                log.warning("request failed", request_id=job.job_id, reason=reason.value, detail=str(error))
                return [self._salvaged(job) or reply_failed(job.request, reason)]
        job.crashes += 1
        log.warning("request raised", request_id=job.job_id, error=type(error).__name__, times=job.crashes)
        if job.solo:
            self.raised_alone.add(job.job_id)
        if len(self.raised_alone) >= MAX_SUSPECTS:
            raise EngineBroken(f"{MAX_SUSPECTS} requests in a row raised alone ({type(error).__name__})") from error
        saved = self._salvaged(job) if job.kept or job.crashes >= MAX_CRASHES else None
        if saved is not None:
            return [saved]
        if job.crashes >= MAX_CRASHES:
            if not self.running and not self.trials.running:
                probe(self.engine, self.intake.presets, job.adapter)
            return [reply_failed(job.request, FailReason.POISONED)]
        job.solo = True
        self.waiting.append(job)
        return []

    def follow(self, routes: Routes, presets: Presets) -> None:
        """From the next request on, go by these routes and presets; what was begun is finished as it began."""
        if presets is not self.intake.presets:
            self.engine.use_presets(presets)
            self.intake.presets = presets
        self.intake.routes = routes

    @property
    def in_use(self) -> set[str]:
        """Adapters that requests run or wait with."""
        jobs = [*self.waiting, *self.running.values()]
        return {job.adapter for job in jobs if job.adapter is not None}

    @staticmethod
    def _restore(clean: Callable[[], None]) -> None:
        """Bring the engine back after an exception; EngineBroken if even that raises."""
        try:
            clean()
        except Exception as error:
            raise EngineBroken(f"the engine cannot be reset ({type(error).__name__})") from error

    def _judge(self, done: Sequence[Job]) -> list[ChatReply]:
        """Finished rounds: classified together, then answered or put back for another round."""
        if done:
            self._classify(done)
        return [reply for job in done for reply in self._decide(job)]

    def _classify(self, done: Sequence[Job]) -> None:
        """Move what the jobs' rounds have finished to what is kept, with its probabilities."""
        started = self.clock()
        rounds = [job.round_texts() for job in done]
        probabilities = iter(self.judge.probabilities([item.text for part in rounds for item in part]))
        for job, part in zip(done, rounds, strict=True):
            job.kept += [self.judge.fill(job.prompt.preset, item, next(probabilities)) for item in part]
            if self.relevance and isinstance(self.engine, Scorer):
                job.kept = weighed(self.engine, self.judge, job)
            job.finished.clear()
            job.clock.generate += started - (job.clock.admitted or started)
        spent = self.clock() - started
        self.metrics.classify.observe(spent)
        for job in done:
            job.clock.classify += spent

    def _choice(self, job: Job) -> Choice:
        message = job.prompt.turns[-1].text
        scored = self.judge.score(job.prompt.preset, message, job.kept)
        return choose(scored, job.request.seen, job.prompt.intensity, job.said)

    def _salvaged(self, job: Job) -> ChatReply | None:
        """The best of what has finished, fitting or not; None if nothing can be sent."""
        if job.finished:
            self._classify([job])
        choice = self._choice(job)
        if choice.candidate is None:
            return None
        log.info("answered with what had finished", request_id=job.job_id, candidates=len(job.kept))
        return reply_done(job, choice.candidate, choice.fit_ok, self.made, job.kept)

    def _decide(self, job: Job) -> list[ChatReply]:
        del self.running[job.job_id]
        choice = self._choice(job)
        left = (job.request.deadline - self.wall()).total_seconds()
        if try_again(choice, job.attempt, self.retries, left, job.clock.generate / job.attempt):
            job.attempt += 1
            if choice.again:
                # As cold as before it would most likely say the same.
                job.sampling = bolder(job.sampling, 1)
            self.waiting.insert(0, job)
            return []
        if choice.candidate is None:
            log.warning("every candidate is defective", request_id=job.job_id, attempts=job.attempt)
            return [reply_failed(job.request, FailReason.ENGINE)]
        return [reply_done(job, choice.candidate, choice.fit_ok, self.made, job.kept)]


def ticket(job: Job) -> Ticket:
    """What the scheduler sees of a job."""
    return Ticket(job.job_id, job.rows, job.prompt_tokens, job.sampling.max_new_tokens, job.clock.received, job.solo)
