"""`/v1/suggestions`: one question, answers of several models side by side, in an order that says nothing.

Answers are kept, so that they can be rated, chosen among and corrected. Blind by default: which model gave which answer
is told by `GET /v1/suggestions/{id}` to keys of the scope admin only.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from bot.api import overlap, records
from bot.api.access import Caller, needs
from bot.api.brain import AGAIN, Brain, Draw, Style, help_card, in_danger, unless_gone
from bot.api.catalogue_of_models import OURS, resolve
from bot.api.chat import IdempotencyKey
from bot.api.once import Once
from bot.api.problems import Problem
from bot.api.shapes import Message, Words
from storage.contracts import ChatReply, ChatRequest, Intensity, Turn
from storage.direct import Asked
from storage.repositories.api_keys import FIRST
from storage.tables import ReplyRow, TurnRow

router = APIRouter(prefix="/v1", tags=["suggestions"])
Chatting = Annotated[Caller, Depends(needs("chat"))]
Admin = Annotated[Caller, Depends(needs("admin"))]
LETTERS = "ABCDEFGH"


class Article(BaseModel):
    """A piece of knowledge that answers may rely on."""

    title: Words = Field(max_length=200)
    text: Words = Field(min_length=1, max_length=4000)


class SuggestionsRequest(BaseModel):
    """What a client asked, and which models are to suggest answers."""

    question: Annotated[Words, Field(min_length=1, max_length=8000)] | None = Field(
        default=None, description="The client's words; or a whole dialogue in `messages`."
    )
    messages: list[Message] = []
    models: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[OURS], min_length=1, max_length=8, description="Ids of GET /v1/models; the same twice: two tries."
    )
    emotion: Annotated[str, Field(max_length=64)] | None = None
    intensity: Intensity | None = None
    persona: Annotated[Words, Field(max_length=400)] | None = None
    articles: list[Article] = Field(default=[], max_length=5)
    client: Annotated[Words, Field(max_length=200)] = Field(
        default="", description="Your name for the person who asked; kept as an opaque number."
    )
    task: Annotated[Words, Field(max_length=200)] = Field(
        default="",
        description="Your name for this question (a ticket). Asked again under it, the same question is answered from "
        "what is stored, for another operator in another order.",
    )
    operator: Annotated[Words, Field(max_length=200)] = Field(
        default="", description="Your name for who will choose among the answers; kept as an opaque number."
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class Suggestion(BaseModel):
    """One answer. `model` is None while blind."""

    letter: str
    request_id: str
    text: str
    emotion: str
    fit: float | None
    fit_ok: bool | None
    model: str | None = None


class Suggestions(BaseModel):
    """Answers side by side. `failed`: how many models gave none. `crisis`: help instead of answers."""

    id: int
    suggestions: list[Suggestion]
    failed: int = 0
    crisis: str | None = None


@router.post("/suggestions", response_model=Suggestions)
async def suggest(
    request: Request, response: Response, given: SuggestionsRequest, caller: Chatting, once_key: IdempotencyKey = None
) -> Any:
    """Ask several models at once. A model that fails leaves the others their place; all failing is an error."""
    once: Once = request.app.state.once

    async def work() -> dict[str, Any]:
        return (await _suggest(request, given, caller)).model_dump(mode="json")

    answer, repeated = await once.run(caller, once_key, given.model_dump(mode="json"), work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


async def _suggest(request: Request, given: SuggestionsRequest, caller: Caller) -> Suggestions:
    state = request.app.state
    brain: Brain = state.brain
    turns = brain.checked(_turns(given))
    if in_danger(turns):
        return Suggestions(id=0, suggestions=[], crisis=help_card())
    style = brain.style(given.emotion, given.intensity, given.persona)
    arms = [await resolve(state.database, model) for model in caller.models or given.models]
    prompt = (*turns[:-1], Turn(role="user", text=_with_articles(turns[-1].text, given.articles)))
    digest = overlap.fingerprint(given.task, prompt, style, arms, given.seed) if given.task else None
    user_id = records.operator(caller, caller.operator or given.operator)
    if digest and (known := await overlap.stored(state.database, caller, digest, user_id)):
        return _again(*known)
    good = await _answers(request, caller, prompt, style, _draws(arms, given.seed))
    random.Random(secrets.token_bytes(16)).shuffle(good)
    task = (digest, user_id) if digest else None
    turn = await records.keep(state.database, caller, given.client, good, task)
    if turn is None and digest and (known := await overlap.stored(state.database, caller, digest, user_id)):
        return _again(*known)  # somebody else was asked the same at the same time
    if turn is None:
        raise Problem(503, "busy", "this question was asked and forgotten at the same time; try again", headers=AGAIN)
    shown = [_shown(place, one.request_id, reply) for place, (one, reply) in enumerate(good)]
    return Suggestions(id=turn.id, suggestions=shown, failed=len(arms) - len(good))


def _draws(arms: list[str], seed: int | None) -> list[Draw]:
    first = secrets.randbelow(2**31) if seed is None else seed
    return [Draw(arm, (first + place) & 0x7FFFFFFF) for place, arm in enumerate(arms)]


async def _answers(
    request: Request, caller: Caller, prompt: tuple[Turn, ...], style: Style, draws: list[Draw]
) -> list[tuple[ChatRequest, ChatReply]]:
    """What the models gave; a Problem if none gave anything."""
    brain: Brain = request.app.state.brain
    asked: list[Asked] = []
    try:
        for draw in draws:
            asked.append(await brain.begin(caller, prompt, style, draw))
        found = await unless_gone(request, _all(brain, asked))
    except BaseException:
        await asyncio.gather(*(one.give_up() for one in asked))
        raise
    good = [(one.request, reply) for one, reply in zip(asked, found, strict=True) if isinstance(reply, ChatReply)]
    if not good:
        raise next(one for one in found if isinstance(one, Problem))
    return good


def _again(turn_id: int, rows: list[ReplyRow]) -> Suggestions:
    return Suggestions(id=turn_id, suggestions=[_shown(place, row.request_id, row) for place, row in enumerate(rows)])


async def _all(brain: Brain, asked: list[Asked]) -> list[ChatReply | Problem]:
    async def one(each: Asked) -> ChatReply | Problem:
        try:
            return await brain.reply(each)
        except Problem as problem:
            return problem

    return list(await asyncio.gather(*(one(each) for each in asked)))


def _turns(given: SuggestionsRequest) -> list[Turn]:
    if (given.question is None) == (not given.messages):
        raise Problem(422, "no_question", "send either `question` or `messages`", field="question")
    if given.question is not None:
        return [Turn(role="user", text=given.question)]
    roles = {"user": "user", "assistant": "assistant"}
    return [Turn.model_validate({"role": roles[m.role], "text": m.text}) for m in given.messages if m.role in roles]


def _with_articles(question: str, articles: list[Article]) -> str:
    if not articles:
        return question
    known = "\n\n".join(f"«{one.title}»\n{one.text}" for one in articles)
    return f"Справка:\n{known}\n\nВопрос: {question}"


def _shown(place: int, request_id: str, reply: ChatReply | ReplyRow) -> Suggestion:
    return Suggestion(
        letter=LETTERS[place],
        request_id=request_id,
        text=reply.text,
        emotion=reply.emotion,
        fit=reply.fit,
        fit_ok=reply.fit_ok,
    )


@router.get("/suggestions/{turn_id}", response_model=Suggestions)
async def revealed(request: Request, turn_id: int, caller: Admin) -> Suggestions:
    """The same answers with the models that gave them."""
    async with request.app.state.database.view() as unit:
        turn = await unit.session.get(TurnRow, turn_id) if abs(turn_id) < 2**62 else None
        if turn is None or turn.chat_id > FIRST:
            raise Problem(404, "no_such_suggestions", "there are no suggestions of this id")
        query = select(ReplyRow).where(ReplyRow.turn_id == turn_id).order_by(ReplyRow.variant)
        rows = list(await unit.session.scalars(query))
    told = _again(turn_id, rows)
    for one, row in zip(told.suggestions, rows, strict=True):
        one.model = row.adapter or (row.provenance or {}).get("base_model")
    return told
