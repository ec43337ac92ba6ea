"""Requests made ready to run: emotion resolved, adapter found, window tidied, prompt measured.

What cannot run is answered at once. Knows nothing of batches or rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog

from models.engine import Engine
from models.errors import PromptTooLong
from models.jobs import Clock, Job, Task, bolder, derive_seed, ended, reply_failed, sampling_for
from models.judging import Judge
from models.prompt import Prompt
from models.serving import Routes
from models.window import newest
from storage.contracts import ChatReply, ChatRequest, FailReason, ReplyState, now
from storage.presets import Preset, Presets

if TYPE_CHECKING:
    from models.reader import Reader

log = structlog.get_logger(__name__)


class Reading(NamedTuple):
    """What «авто» goes by: the emotions that a message shows, and the kind of thing that it tells."""

    shown: Mapping[str, float]
    kind: str | None = None


UNREAD = Reading({})


class Intake:
    """Turns tasks into jobs, or into replies that say why not."""

    def __init__(
        self,
        engine: Engine,
        judge: Judge,
        presets: Presets,
        *,
        candidates: int,
        max_new_tokens: int,
        turns: int | None = None,
        routes: Routes | None = None,
        reader: Reader | None = None,
        wall: Callable[[], datetime] = now,
    ) -> None:
        self.engine = engine
        self.judge = judge
        self.presets = presets
        self.candidates = candidates
        self.max_new_tokens = max_new_tokens
        self.turns = turns
        self.routes = routes or Routes()
        self.reader = reader
        self.wall = wall

    def take(self, tasks: Sequence[Task], moment: float) -> tuple[list[Job], list[ChatReply]]:
        """Jobs to run and replies to requests that cannot run; one request's fault never touches another."""
        jobs: list[Job] = []
        replies: list[ChatReply] = []
        readings = self._readings(tasks)
        for task in tasks:
            made = self._safely(task, readings.get(task.request.request_id, UNREAD), moment)
            if isinstance(made, Job):
                jobs.append(made)
            else:
                replies.append(made)
        return jobs, replies

    def _safely(self, task: Task, reading: Reading, moment: float) -> Job | ChatReply:
        """Whatever a request makes raise is answered as this request's fault."""
        try:
            return self._one(task, reading, moment)
        except PromptTooLong:
            return reply_failed(task.request, FailReason.TOO_LONG)
        except Exception as error:
            log.error("request not prepared", request_id=task.request.request_id, error=type(error).__name__)
            return reply_failed(task.request, FailReason.POISONED)

    def _one(self, task: Task, reading: Reading, moment: float) -> Job | ChatReply:
        request = task.request
        if request.deadline <= self.wall():
            return ended(request, ReplyState.EXPIRED)
        turns = newest(request.turns, self.turns)
        if not turns or turns[-1].role != "user":
            return reply_failed(request, FailReason.POISONED)
        preset = self._preset(request, reading)
        adapter = self.routes.adapter(request.arm, preset.id)
        if adapter is not None and adapter not in self.engine.adapters:
            log.warning("unknown adapter", request_id=request.request_id, adapter=adapter)
            return reply_failed(request, FailReason.UNKNOWN_ADAPTER)
        prompt = Prompt(turns, preset, request.intensity, request.persona, self.presets)
        bound = min(self.max_new_tokens, request.max_tokens or self.max_new_tokens)
        sampling = bolder(sampling_for(prompt.preset, bound, self.engine.sampling), len(request.seen))
        size = self.engine.measure(prompt, sampling.max_new_tokens)
        return Job(
            request=request,
            prompt=prompt,
            adapter=adapter,
            sampling=sampling,
            seed=derive_seed(request.request_id) if request.seed is None else request.seed,
            rows=request.candidates or self.candidates,
            prompt_tokens=size,
            prompt_version=self.engine.prompt_version,
            clock=Clock(moment, max(0.0, (self.wall() - request.created_at).total_seconds())),
            solo=task.solo,
        )

    def _readings(self, tasks: Sequence[Task]) -> dict[str, Reading]:
        """The last message of every «авто» request, read in one batch: its emotion and the kind of thing it tells."""
        auto = [task.request for task in tasks if task.request.emotion == self.presets.auto.id and task.request.turns]
        texts = [request.turns[-1].text for request in auto]
        kinds = self.reader.kinds(texts) if self.reader else [None] * len(texts)
        read = map(Reading, self.judge.probabilities(texts), kinds)
        return {request.request_id: one for request, one in zip(auto, read, strict=True)}

    def _preset(self, request: ChatRequest, reading: Reading) -> Preset:
        if request.emotion == self.presets.auto.id:
            return self.presets.resolve_auto(reading.shown, reading.kind)
        try:
            return self.presets.get(request.emotion)
        except KeyError:
            # An operator may have removed a preset that a chat still has set: answer calmly rather than not at all.
            log.warning("unknown emotion answered as the first preset", emotion=request.emotion)
            return self.presets.presets[0]
