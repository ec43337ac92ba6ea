"""From a dialogue to an answer: the API's way to the workers, the same queue as Telegram's. Knows no HTTP shapes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from fastapi import Request

from bot import texts
from bot.api.access import Caller
from bot.api.problems import Problem
from bot.api.settings import ApiSettings
from bot.crisis import is_crisis
from storage.contracts import ChatReply, ChatRequest, FailReason, ReplyState, Turn, now
from storage.direct import Asked, DirectLine, NoAnswer
from storage.presets import AutoPreset, Preset, Presets
from storage.queue import QueueFull

T = TypeVar("T")

AGAIN = {"Retry-After": "2"}
FAILED = {
    FailReason.TOO_LONG: (400, "context_length_exceeded", "the dialogue does not fit into the model's context"),
    FailReason.UNKNOWN_ADAPTER: (404, "model_not_found", "no worker serves this model now; see GET /v1/models"),
    FailReason.POISONED: (422, "cannot_be_answered", "this request broke the model and is not tried again; change it"),
    FailReason.ENGINE: (502, "engine", "the model gave no usable answer; try again"),
}


@dataclass(frozen=True, slots=True)
class Style:
    """How to answer, resolved."""

    emotion: str
    intensity: int
    persona: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """Which model answers, and how often it may try. `arm`: active, base or an adapter's id."""

    arm: str = "active"
    seed: int | None = None
    candidates: int | None = None
    max_tokens: int | None = None


class Brain:
    """Asks the workers for this process."""

    def __init__(self, line: DirectLine, presets: Callable[[], Presets], settings: ApiSettings) -> None:
        self.line = line
        self.presets = presets
        self.settings = settings

    def style(self, emotion: str | None, intensity: int | None, persona: str | None) -> Style:
        """The preset that a name means; a Problem names the known ones."""
        presets = self.presets()
        found = presets.find(emotion or self.settings.default_emotion)
        if found is None:
            known = ", ".join([*(one.id for one in presets.presets), presets.auto.id])
            raise Problem(422, "unknown_emotion", f"there is no such emotion; known: {known}", field="emotion")
        return Style(found.id, intensity or _usual(found), (persona or "").strip()[:400])

    def checked(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """The last turns, as many as count; a Problem says what is wrong with them."""
        turns = turns[-self.settings.max_messages :]
        if any(len(turn.text) > self.settings.max_message_chars for turn in turns):
            detail = f"a message has more than {self.settings.max_message_chars} characters"
            raise Problem(422, "message_too_long", detail, field="messages")
        if not turns or turns[-1].role != "user" or not turns[-1].text.strip():
            raise Problem(422, "no_question", "the last message must be the user's, and not empty", field="messages")
        return tuple(turns)

    async def begin(
        self, caller: Caller, turns: Sequence[Turn], style: Style, draw: Draw, request_id: str | None = None
    ) -> Asked:
        """Queue one request. 503 while too many wait."""
        if self.line.waiting >= self.settings.waiting_limit:
            raise Problem(503, "busy", "too many requests wait here; try again", headers=AGAIN)
        request = ChatRequest(
            request_id=request_id or secrets.token_hex(12),
            chat_id=caller.chat_id,
            user_id=caller.chat_id,
            turns=tuple(turns),
            emotion=style.emotion,
            intensity=style.intensity,
            persona=style.persona,
            arm=draw.arm,
            seed=draw.seed,
            candidates=draw.candidates,
            max_tokens=draw.max_tokens,
            deadline=now() + timedelta(seconds=self.settings.deadline_seconds),
        )
        try:
            return await self.line.begin(request)
        except QueueFull:
            raise Problem(503, "queue_full", "the queue is full; try again", headers=AGAIN) from None

    async def reply(self, asked: Asked) -> ChatReply:
        """Wait for an answer; every other ending is a Problem."""
        try:
            reply = await asked.reply()
        except NoAnswer:
            raise Problem(504, "no_answer", "no worker answered in time; see /readyz", headers=AGAIN) from None
        if reply.state is ReplyState.DONE:
            return reply
        raise ending(reply)


def ending(reply: ChatReply) -> Problem:
    """A reply without an answer, as a problem."""
    if reply.state is ReplyState.EXPIRED:
        return Problem(504, "expired", "the workers were too busy to answer in time; try again", headers=AGAIN)
    if reply.state is ReplyState.CANCELLED:
        return Problem(503, "cancelled", "the request was taken back", headers=AGAIN)
    status, code, detail = FAILED[reply.reason or FailReason.ENGINE]
    return Problem(status, code, detail)


def in_danger(turns: Sequence[Turn]) -> bool:
    """Whether the last message sounds like suicide or self-harm: then help is shown and no model is asked."""
    return bool(turns) and turns[-1].role == "user" and is_crisis(turns[-1].text)


def help_card() -> str:
    """What is shown then."""
    return texts.CRISIS


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await work, but stop when the client has gone: what nobody reads is not generated."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Problem(499, "client_gone", "the client closed the connection")
        return task.result()
    finally:
        for one in (task, watch):
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await asyncio.gather(task, watch, return_exceptions=True)


async def _gone(request: Request) -> None:
    while not await request.is_disconnected():  # noqa: ASYNC110  (the server tells it by nothing else)
        await asyncio.sleep(0.5)


def _usual(preset: Preset | AutoPreset) -> int:
    return preset.intensity if isinstance(preset, Preset) else 2
