"""One request on its way through the worker: rounds of candidates, what came back, and the reply made of it.

Knows the contracts, not the engine, the queue or the clock's source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.prompt import Prompt
from storage.contracts import (
    Candidate,
    ChatReply,
    ChatRequest,
    FailReason,
    Provenance,
    ReplyState,
    Sampling,
    Timings,
)
from storage.presets import Preset


@dataclass(frozen=True)
class Task:
    """A request handed to the responder. `solo`: it may have crashed a worker before, so it runs alone."""

    request: ChatRequest
    solo: bool = False


@dataclass(frozen=True)
class Made:
    """How a reply was made, apart from the request: constant over a worker's life."""

    base_model: str
    classifier: str | None
    worker: str


@dataclass
class Clock:
    """Moments of one job, in seconds of the responder's clock; sums over its rounds."""

    received: float
    queue: float
    admitted: float | None = None
    first_token: float | None = None
    generate: float = 0.0
    classify: float = 0.0

    def timings(self) -> Timings:
        """As the provenance carries them; the first token counts from reception."""
        first = None if self.first_token is None else self.first_token - self.received
        return Timings(queue=self.queue, generate=self.generate, classify=self.classify, first_token=first)


@dataclass
class Job:
    """A request being answered. `sampling`: of this round. `drawn`: how its candidates were sampled, where the engine
    could not as asked."""

    request: ChatRequest
    prompt: Prompt
    adapter: str | None
    sampling: Sampling
    seed: int
    rows: int
    prompt_tokens: int
    prompt_version: str
    clock: Clock
    solo: bool = False
    crashes: int = 0
    attempt: int = 1
    pending: dict[str, int] = field(default_factory=dict)
    finished: dict[str, Candidate] = field(default_factory=dict)
    kept: list[Candidate] = field(default_factory=list)
    drawn: Sampling | None = None

    @property
    def job_id(self) -> str:
        return self.request.request_id

    def begin_round(self) -> None:
        """Name this round's rows; whatever an interrupted round left is forgotten, so a repeat gives the same texts."""
        self.finished.clear()
        self.pending = {f"{self.job_id}/{self.attempt}/{index}": index for index in range(self.rows)}

    def row_seed(self, index: int) -> int:
        """Seed of one candidate of this round: depends on the request's seed, not on time or company."""
        return derive_seed(f"{self.seed}:{self.attempt}:{index}")

    @property
    def said(self) -> list[str]:
        """What was answered earlier in this dialogue, also where the model is not given it."""
        return [turn.text for turn in self.request.turns if turn.role == "assistant"]

    @property
    def round_done(self) -> bool:
        return bool(self.pending) and len(self.finished) == len(self.pending)

    def round_texts(self) -> list[Candidate]:
        """This round's candidates in the order of their seeds."""
        return [self.finished[row_id] for row_id in self.pending if row_id in self.finished]


def derive_seed(text: str) -> int:
    """A seed below 2**31 from a text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1


def sampling_for(preset: Preset, max_new_tokens: int, base: Sampling) -> Sampling:
    """The base model's own values, the worker's bound on length, and the preset's over them (within the bound)."""
    values: dict[str, float] = {**base.model_dump(), "max_new_tokens": max_new_tokens, **preset.sampling}
    values["max_new_tokens"] = min(values["max_new_tokens"], max_new_tokens)
    return Sampling.model_validate({**values, "max_new_tokens": int(values["max_new_tokens"])})


def bolder(sampling: Sampling, seen: int) -> Sampling:
    """Sampling for somebody who has seen so many answers and wants another: a quarter warmer each time, up to 1."""
    if not seen or sampling.temperature >= 1:
        return sampling
    return sampling.model_copy(update={"temperature": min(1.0, sampling.temperature + seen / 4)})


def reply_failed(request: ChatRequest, reason: FailReason) -> ChatReply:
    """The answer to a request that cannot be answered."""
    return ended(request, ReplyState.FAILED, reason)


def ended(request: ChatRequest, state: ReplyState, reason: FailReason | None = None) -> ChatReply:
    """A reply without text."""
    return ChatReply(
        request_id=request.request_id,
        chat_id=request.chat_id,
        state=state,
        reason=reason,
        emotion=request.emotion,
        intensity=request.intensity,
    )


def reply_done(
    job: Job, chosen: Candidate, fit_ok: bool | None, made: Made, everything: Sequence[Candidate]
) -> ChatReply:
    """The reply with its full provenance."""
    return ChatReply(
        request_id=job.request.request_id,
        chat_id=job.request.chat_id,
        state=ReplyState.DONE,
        text=chosen.text,
        emotion=job.prompt.preset.id,
        intensity=job.request.intensity,
        fit=None if fit_ok is None else chosen.fit,
        fit_ok=fit_ok,
        candidates=tuple(everything),
        provenance=Provenance(
            base_model=made.base_model,
            adapter=job.adapter,
            prompt_version=job.prompt_version,
            classifier=made.classifier,
            sampling=job.drawn or job.sampling,
            seed=job.seed,
            worker=made.worker,
            attempts=job.attempt,
            timings=job.clock.timings(),
        ),
    )
