"""Every shape that crosses a process boundary, in one file.

Frozen and versioned. A process that meets a newer `protocol` leaves the message for others and says so
(`NewerProtocol`). This module knows nothing of Redis, SQL, Telegram or torch.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PROTOCOL = 1

Intensity = Annotated[int, Field(ge=1, le=3)]
Stars = Annotated[int, Field(ge=1, le=5)]


def now() -> datetime:
    """The current moment, timezone-aware UTC: the only clock that goes on the wire."""
    return datetime.now(UTC)


class Shape(BaseModel):
    """Base of all wire shapes: immutable, unknown fields of the same protocol refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(Shape):
    """One utterance of a dialogue."""

    role: Literal["user", "assistant"]
    text: str


class Sampling(Shape):
    """How tokens are drawn; part of every reply's provenance."""

    temperature: float = Field(default=0.8, ge=0)
    top_p: float = Field(default=0.92, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    repetition_penalty: float = Field(default=1.1, gt=0)
    max_new_tokens: int = Field(default=96, ge=1)


class ChatRequest(Shape):
    """One turn to answer. `turns` is the dialogue window, oldest first, its last turn the person's.

    `max_tokens`: a bound on the answer's length below the worker's own; what is longer is cut there.
    `seen`: answers to this very turn that the person has, and wants another than these.
    `route`: whose reply this is; empty: the Telegram bots', otherwise the one process that asked (`storage.direct`).
    """

    protocol: int = PROTOCOL
    request_id: str
    chat_id: int
    user_id: int
    turns: tuple[Turn, ...]
    emotion: str
    intensity: Intensity = 2
    persona: str = ""
    arm: str = "active"
    variant: int = Field(default=0, ge=0)
    seen: tuple[str, ...] = ()
    candidates: int | None = Field(default=None, ge=1, le=64)
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    route: str = Field(default="", pattern=r"^[a-z0-9_-]{0,48}$")
    created_at: datetime = Field(default_factory=now)
    deadline: datetime


class Candidate(Shape):
    """One generated answer with the picking classifier's probabilities by label.

    `likelihood`: mean log probability of its tokens (nats, temperature 1); `relevance`: that, less a part
    of what it would be to any message. None where nobody asked or the engine does not know.
    """

    text: str
    fit: float
    probabilities: dict[str, float] = Field(default_factory=dict)
    tokens: int = 0
    finish: Literal["stop", "length", "cancelled"] = "stop"
    likelihood: float | None = None
    relevance: float | None = None


class Timings(Shape):
    """Seconds spent in each stage of one request."""

    queue: float = 0.0
    generate: float = 0.0
    classify: float = 0.0
    first_token: float | None = None


class Provenance(Shape):
    """All that is needed to make the same answer again."""

    base_model: str
    adapter: str | None = None
    prompt_version: str
    classifier: str | None = None
    sampling: Sampling
    seed: int
    worker: str
    attempts: int = 1
    timings: Timings = Timings()


class ReplyState(StrEnum):
    """How a request ended. Every request ends in exactly one of these."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class FailReason(StrEnum):
    """Why a request failed, in terms that the bot can explain to a person."""

    POISONED = "poisoned"
    UNKNOWN_ADAPTER = "unknown_adapter"
    TOO_LONG = "too_long"
    ENGINE = "engine"


class ChatReply(Shape):
    """The answer to one request. `fit` is the classifier's probability of the target emotion, None if unchecked."""

    protocol: int = PROTOCOL
    request_id: str
    chat_id: int
    state: ReplyState
    reason: FailReason | None = None
    text: str = ""
    emotion: str
    intensity: Intensity = 2
    fit: float | None = None
    fit_ok: bool | None = None
    candidates: tuple[Candidate, ...] = ()
    provenance: Provenance | None = None
    created_at: datetime = Field(default_factory=now)


class RatingSource(StrEnum):
    """Where a judgement came from."""

    BUTTON = "button"
    REACTION = "reaction"
    REGENERATE = "regenerate"
    COMPARE = "compare"
    CORRECTION = "correction"


class RatingStars(Shape):
    """1–5 for each criterion; weights in the total: content 0.45, grammar 0.20, structure 0.20, style 0.15."""

    content: Stars | None = None
    grammar: Stars | None = None
    structure: Stars | None = None
    style: Stars | None = None


class Rating(Shape):
    """One person's judgement of one answer, keyed by (chat, message, user); the last one wins, history is kept.

    Fields that are None say nothing and leave the earlier value; `thumb=0` takes a thumb back.
    `request_id` names the judged answer, `preferred_over` the answer (its request id) that it was preferred to; empty:
    the person prefers it to none any more. In a merged judgement `source` is that of the last word, `thumb_source` that
    of the thumb; the latter never goes on the wire.
    """

    protocol: int = PROTOCOL
    rating_id: str
    chat_id: int
    message_id: int
    user_id: int
    request_id: str
    thumb: Literal[-1, 0, 1] | None = None
    thumb_source: RatingSource | None = Field(default=None, exclude=True)
    stars: RatingStars | None = None
    reason: str | None = None
    preferred_over: str | None = None
    correction: str | None = None
    source: RatingSource = RatingSource.BUTTON
    created_at: datetime = Field(default_factory=now)


class JobState(StrEnum):
    """Where a training job is. Gated: trained and judged, waits for an admin; canary: some people meet its adapter."""

    QUEUED = "queued"
    PREPARING = "preparing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    GATED = "gated"
    CANARY = "canary"
    LIVE = "live"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TrainJob(Shape):
    """An order to train: what, on what, asked by whom."""

    protocol: int = PROTOCOL
    job_id: str
    method: str
    recipe: str | None = None
    overrides: dict[str, str] = Field(default_factory=dict)
    log: str | None = Field(default=None, description="A feedback log to learn from, in place of what is in SQL.")
    requested_by: int | None = None
    created_at: datetime = Field(default_factory=now)


class JobEvent(Shape):
    """A sign of life of a training job."""

    protocol: int = PROTOCOL
    job_id: str
    state: str
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    eta_seconds: float | None = None
    verdict: str | None = None
    created_at: datetime = Field(default_factory=now)


class DataSummary(Shape):
    """What a refit would learn from now: usable rows by kind (after consent, caps and reliability), what `auto` would
    do with them and why (Russian, a line a reason). `ratings`: those that came since the last refit."""

    protocol: int = PROTOCOL
    rows: dict[str, int] = Field(default_factory=dict)
    people: int = 0
    ratings: int = 0
    method: str | None = None
    why: tuple[str, ...] = ()
    at: datetime = Field(default_factory=now)


class ServedAdapter(Shape):
    """An adapter that a worker may need: where its folder is (fsspec address) and what its files must hash to."""

    adapter_id: str
    location: str
    sha256: str
    base: str = ""


class ServedSlot(Shape):
    """Who answers a preset's requests, or everybody's in the slot `shared`; None: what the worker has by itself."""

    name: str
    active: str | None = None
    canary: str | None = None
    share: float = Field(default=0.0, ge=0, le=1)


class Serving(Shape):
    """What workers are to serve: all slots, and the adapters that they and a rollback may need."""

    protocol: int = PROTOCOL
    revision: int = 0
    slots: tuple[ServedSlot, ...] = ()
    adapters: tuple[ServedAdapter, ...] = ()
    presets: dict[str, Any] | None = None


class Loaded(Shape):
    """A worker's answer to `Serving`: up to which revision it serves, what it has loaded, what failed (by adapter)."""

    protocol: int = PROTOCOL
    worker: str
    revision: int
    adapters: tuple[str, ...] = ()
    faults: dict[str, str] = Field(default_factory=dict)
    at: datetime = Field(default_factory=now)


class NewerProtocol(Exception):
    """A message was written by a newer release; this process leaves it for one that understands it."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"message has protocol {found}, this process speaks {PROTOCOL}: "
            "update this process; the message is left for others"
        )
        self.found = found


def request_id(chat_id: int, message_ids: tuple[int, ...], *, revision: int = 0, variant: int = 0) -> str:
    """Deterministic id of one turn: the same messages in the same revision and variant always give the same id.

    `revision` counts edits of the answered message(s), `variant` the «другой вариант» taps.
    """
    source = f"{chat_id}:{','.join(map(str, message_ids))}:{revision}:{variant}"
    return hashlib.blake2b(source.encode(), digest_size=12).hexdigest()
