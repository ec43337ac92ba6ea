"""`/v1/chat/completions` and `/v1/models`, as OpenAI's clients expect them, with emotions.

A streamed answer is chosen first and sent in pieces then: an emotion can only be checked in a whole answer. Signs of
life keep the connection open meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from bot.api import records
from bot.api.access import Caller, needs
from bot.api.brain import Brain, Draw, Style, help_card, in_danger, unless_gone
from bot.api.catalogue_of_models import known, resolve
from bot.api.once import Once
from bot.api.problems import Problem, body
from bot.api.shapes import AnswerMessage, Choice, Completion, CompletionRequest, Fit, ModelCard, ModelList, Usage
from storage.contracts import ChatReply, Turn, now
from storage.direct import Asked

router = APIRouter(prefix="/v1", tags=["chat"])
ALIVE = 10.0
PIECE = re.compile(r"\S+\s*|\s+")
Chatting = Annotated[Caller, Depends(needs("chat"))]
Looking = Annotated[Caller, Depends(needs("chat", "admin"))]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", description="One effect per key.")]


@dataclass(frozen=True)
class Wanted:
    """A checked request."""

    turns: tuple[Turn, ...]
    style: Style
    draws: tuple[Draw, ...]
    stops: tuple[str, ...]


@router.get("/models")
async def models(request: Request, caller: Looking) -> ModelList:
    """Models: `otklik` (what people in Telegram meet), `base`, and every adapter that may be asked for by id."""
    return ModelList(data=await known(request.app.state.database))


@router.get("/models/{model_id}")
async def model(request: Request, model_id: str, caller: Looking) -> ModelCard:
    """One of them."""
    for card in await known(request.app.state.database):
        if card.id == model_id:
            return card
    raise Problem(404, "model_not_found", "there is no such model; see GET /v1/models")


@router.post("/chat/completions", response_model=Completion)
async def complete(
    request: Request, response: Response, given: CompletionRequest, caller: Chatting, once_key: IdempotencyKey = None
) -> Any:
    """An answer in an emotion. Messages of the role system become the answer's persona."""
    brain: Brain = request.app.state.brain
    once: Once = request.app.state.once
    wanted = await _wanted(request, brain, given)
    mark = given.model_dump(mode="json")
    if given.stream:
        return await _streamed(request, once, caller, once_key, given, wanted)

    async def work() -> dict[str, Any]:
        if in_danger(wanted.turns):
            return _danger(given, wanted).model_dump(mode="json")
        asked = await _begin(brain, caller, wanted)
        replies = await unless_gone(request, _replies(brain, asked))
        await _stored(request, caller, given, asked, replies)
        return _completion(given, wanted, replies).model_dump(mode="json")

    answer, repeated = await once.run(caller, once_key, mark, work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


async def _wanted(request: Request, brain: Brain, given: CompletionRequest) -> Wanted:
    arm = await resolve(request.app.state.database, given.model)
    system = [one.text.strip() for one in given.messages if one.role in ("system", "developer")]
    persona = given.persona if given.persona is not None else " ".join(part for part in system if part)
    turns = tuple(
        Turn(role="user" if one.role == "user" else "assistant", text=one.text)
        for one in given.messages
        if one.role in ("user", "assistant")
    )
    seeds = [None if given.seed is None else (given.seed + place) & 0x7FFFFFFF for place in range(given.n or 1)]
    stops = (given.stop,) if isinstance(given.stop, str) else tuple(given.stop or ())
    return Wanted(
        turns=brain.checked(turns),
        style=brain.style(given.emotion, given.intensity, persona),
        draws=tuple(Draw(arm, seed, given.candidates, given.longest) for seed in seeds),
        stops=tuple(one for one in stops if one),
    )


async def _begin(brain: Brain, caller: Caller, wanted: Wanted) -> list[Asked]:
    """Queue every answer that is wanted; none of them, if one finds no room."""
    asked: list[Asked] = []
    try:
        for draw in wanted.draws:
            asked.append(await brain.begin(caller, wanted.turns, wanted.style, draw))
    except BaseException:
        await asyncio.gather(*(one.give_up() for one in asked))
        raise
    return asked


async def _replies(brain: Brain, asked: list[Asked]) -> list[ChatReply]:
    try:
        return list(await asyncio.gather(*(brain.reply(one) for one in asked)))
    except BaseException:
        await asyncio.gather(*(one.give_up() for one in asked))
        raise


def _completion(given: CompletionRequest, wanted: Wanted, replies: list[ChatReply]) -> Completion:
    choices = []
    for place, reply in enumerate(replies):
        text, stopped = _cut(reply.text, wanted.stops)
        chosen = next((one for one in reply.candidates if one.text == reply.text), None)
        long = chosen is not None and chosen.finish == "length" and not stopped
        choices.append(
            Choice(
                index=place,
                message=AnswerMessage(content=text),
                finish_reason="length" if long else "stop",
                otklik=Fit(
                    emotion=reply.emotion,
                    intensity=reply.intensity,
                    fit=reply.fit,
                    fit_ok=reply.fit_ok,
                    request_id=reply.request_id,
                    adapter=reply.provenance.adapter if reply.provenance else None,
                ),
            )
        )
    tokens = sum(next((one.tokens for one in reply.candidates if one.text == reply.text), 0) for reply in replies)
    base = replies[0].provenance.base_model if replies[0].provenance else None
    return _whole(given, replies[0].request_id, choices, tokens, base)


def _danger(given: CompletionRequest, wanted: Wanted) -> Completion:
    """Help instead of an answer."""
    shown = Fit(emotion=wanted.style.emotion, intensity=wanted.style.intensity, crisis=True)
    choice = Choice(index=0, message=AnswerMessage(content=help_card()), finish_reason="stop", otklik=shown)
    return _whole(given, "crisis", [choice], 0, None)


def _whole(given: CompletionRequest, name: str, choices: list[Choice], tokens: int, base: str | None) -> Completion:
    return Completion(
        id=f"chatcmpl-{name}",
        created=int(now().timestamp()),
        model=given.model,
        choices=choices,
        usage=Usage(completion_tokens=tokens, total_tokens=tokens),
        system_fingerprint=base,
    )


def _cut(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)].rstrip(), True) if places else (text, False)


async def _stored(
    request: Request, caller: Caller, given: CompletionRequest, asked: list[Asked], replies: list[ChatReply]
) -> None:
    """With `store` the answer is kept, so that it can be rated; without it no word stays."""
    if given.store:
        pairs = [(one.request, reply) for one, reply in zip(asked, replies, strict=True)]
        await records.keep(request.app.state.database, caller, given.user or "", pairs)


async def _streamed(
    request: Request,
    once: Once,
    caller: Caller,
    once_key: str | None,
    given: CompletionRequest,
    wanted: Wanted,
) -> StreamingResponse:
    """What can be refused is refused with a status; then the stream opens at once."""
    brain: Brain = request.app.state.brain
    mark = given.model_dump(mode="json")
    known = await once.earlier(caller, once_key, mark)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if known is not None:
        headers["Idempotency-Replayed"] = "true"
        return _events(_pieces(given, Completion.model_validate(known)), headers)
    if in_danger(wanted.turns):
        whole = _danger(given, wanted)
        await once.keep(caller, once_key, mark, whole.model_dump(mode="json"))
        return _events(_pieces(given, whole), headers)
    try:
        asked = await _begin(brain, caller, wanted)
    except BaseException:
        await once.free(caller, once_key)
        raise

    async def events() -> AsyncIterator[str]:
        task = asyncio.ensure_future(_replies(brain, asked))
        try:
            yield ": asked\n\n"
            while not (await asyncio.wait({task}, timeout=ALIVE))[0]:
                yield ": alive\n\n"
            await _stored(request, caller, given, asked, task.result())
            whole = _completion(given, wanted, task.result())
            await once.keep(caller, once_key, mark, whole.model_dump(mode="json"))
        except Problem as problem:
            await once.free(caller, once_key)
            yield _event(body(problem.status, problem.code, problem.detail))
            return
        except BaseException:
            task.cancel()
            await once.free(caller, once_key)
            raise
        async for piece in _pieces(given, whole):
            yield piece

    return _events(events(), headers)


async def _pieces(given: CompletionRequest, whole: Completion) -> AsyncIterator[str]:
    """A finished answer as OpenAI's chunks: the role, words, the end with what is known of it, the usage if wanted."""
    head = {
        "id": whole.id,
        "object": "chat.completion.chunk",
        "created": whole.created,
        "model": whole.model,
        "system_fingerprint": whole.system_fingerprint,
    }
    usage = given.stream_options is not None and given.stream_options.include_usage
    blank = {"usage": None} if usage else {}

    def chunk(place: int, delta: dict[str, str], finish: str | None = None, **more: Any) -> str:
        choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": finish, **more}
        return _event({**head, "choices": [choice], **blank})

    for choice in whole.choices:
        yield chunk(choice.index, {"role": "assistant", "content": ""})
        for piece in PIECE.findall(choice.message.content):
            yield chunk(choice.index, {"content": piece})
        yield chunk(choice.index, {}, choice.finish_reason, otklik=choice.otklik.model_dump(mode="json"))
    if usage:
        yield _event({**head, "choices": [], "usage": whole.usage.model_dump()})
    yield "data: [DONE]\n\n"


def _event(value: Any) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _events(source: AsyncIterator[str], headers: dict[str, str]) -> StreamingResponse:
    return StreamingResponse(source, media_type="text/event-stream", headers=headers)
