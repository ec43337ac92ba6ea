"""`/v1/ratings`: what people think of answers, into the same book as Telegram's; and tables of what they thought."""

from __future__ import annotations

import itertools
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field, model_validator

from bot.api import records
from bot.api.access import Caller, needs
from bot.api.chat import IdempotencyKey
from bot.api.once import Once
from bot.api.problems import Problem
from bot.api.shapes import Words
from storage.contracts import Rating, RatingSource, RatingStars
from storage.ratings import RatingBook
from storage.repositories.scores import Score, scores

router = APIRouter(prefix="/v1", tags=["ratings"])
Rater = Annotated[Caller, Depends(needs("rate"))]
Looking = Annotated[Caller, Depends(needs("rate", "admin"))]


class RatingRequest(BaseModel):
    """A judgement of one answer. What is not said leaves what was said before; `thumb: 0` takes a thumb back."""

    request_id: Words = Field(min_length=1, max_length=64)
    operator: Annotated[Words, Field(max_length=200)] = Field(
        default="", description="Your name for who rates; kept as an opaque number."
    )
    thumb: Literal[-1, 0, 1] | None = None
    stars: RatingStars | None = Field(default=None, description="1–5: content, grammar, structure, style.")
    chosen: bool = Field(default=False, description="Preferred to every other answer to the same question.")
    correction: Annotated[Words, Field(min_length=1, max_length=4000)] | None = Field(
        default=None, description="A better answer, in the same emotion."
    )
    reason: Literal["wrong_emotion", ""] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> RatingRequest:
        stars = self.stars if self.stars and any(self.stars.model_dump().values()) else None
        said = (self.thumb, stars, self.correction, self.reason)
        if all(one is None for one in said) and not self.chosen:
            raise ValueError("say something: thumb, stars, chosen, correction or reason")
        return self


class RatingTaken(BaseModel):
    """What the rater thinks of the answer now, and how many answers it was preferred to."""

    request_id: str
    thumb: Literal[-1, 0, 1] | None = None
    stars: RatingStars | None = None
    correction: str | None = None
    reason: str | None = None
    preferred_over: int = 0


class Summary(BaseModel):
    """Figures by model, as far as there are any."""

    scores: list[Score]


@router.post("/ratings", response_model=RatingTaken, status_code=201)
async def rate(
    request: Request, response: Response, given: RatingRequest, caller: Rater, once_key: IdempotencyKey = None
) -> Any:
    """Rate, choose or correct an answer that this key was given. The last word of a rater counts, all are kept."""
    once: Once = request.app.state.once
    # Whoever sends the same again after this process died in the middle is counted once.
    mark = secrets.token_hex(12) if once_key is None else records.mark(caller, once_key, given.model_dump_json())

    async def work() -> dict[str, Any]:
        return (await _rate(request, given, caller, mark)).model_dump(mode="json")

    answer, repeated = await once.run(caller, once_key, given.model_dump(mode="json"), work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


async def _rate(request: Request, given: RatingRequest, caller: Caller, mark: str) -> RatingTaken:
    state = request.app.state
    book: RatingBook = state.book
    kept = await records.find(state.database, caller, given.request_id)
    if given.chosen and not kept.siblings:
        raise Problem(422, "nothing_to_choose", "this answer was given alone; there is nothing to prefer it to")
    user_id = await records.rater(state.database, caller, caller.operator or given.operator)
    said = {"thumb": given.thumb, "stars": given.stars, "correction": given.correction, "reason": given.reason}

    def rating(name: str, message_id: int, source: RatingSource, **values: Any) -> Rating:
        return Rating(
            rating_id=f"api-{mark}-{name}",
            chat_id=caller.chat_id,
            message_id=message_id,
            user_id=user_id,
            request_id=given.request_id,
            source=source,
            **values,
        )

    merged: Rating | None = None
    if any(value is not None for value in said.values()):
        source = RatingSource.CORRECTION if given.correction else RatingSource.BUTTON
        merged = await book.submit(rating("own", records.place(given.request_id), source, **said))
    if given.chosen:
        for other in kept.siblings:
            where = records.place(given.request_id, other)
            await book.submit(rating(other, where, RatingSource.COMPARE, preferred_over=other))
        for one, other in itertools.combinations(kept.siblings, 2):
            # Who chooses anew takes back what was chosen before, also where it was preferred to a third answer.
            where = records.place(one, other)
            before = await book.of_user(caller.chat_id, where, user_id)
            if before is not None and before.preferred_over:
                undone = rating(f"x{where}", where, RatingSource.COMPARE, preferred_over="")
                await book.submit(undone.model_copy(update={"request_id": before.request_id}))
    return RatingTaken(
        request_id=given.request_id,
        thumb=merged.thumb if merged else None,
        stars=merged.stars if merged else None,
        correction=merged.correction if merged else None,
        reason=merged.reason if merged else None,
        preferred_over=len(kept.siblings) if given.chosen else 0,
    )


@router.get("/ratings/summary")
async def summary(
    request: Request,
    caller: Looking,
    since: Annotated[datetime | None, Query(description="With a timezone; unset: everything.")] = None,
) -> Summary:
    """How often each mark was given to each model's answers, means with 95 % intervals, and the weighted score.

    Of this key's answers; a key of the scope admin sees those of all keys and of Telegram.
    """
    if since is not None and since.tzinfo is None:
        raise Problem(422, "no_timezone", "`since` needs a timezone, such as 2026-01-31T00:00:00Z", field="since")
    chat_id = None if "admin" in caller.scopes else caller.chat_id
    async with request.app.state.database.view() as unit:
        return Summary(scores=await scores(unit.session, chat_id=chat_id, since=since))
