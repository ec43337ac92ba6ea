"""`/v1/people`: deleting what is kept of somebody behind a program, as /forget does in Telegram.

People are named in the body and never in the address, which proxies write down.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, model_validator

from bot.api import records
from bot.api.access import Caller, needs
from bot.api.chat import IdempotencyKey
from bot.api.once import Once
from bot.api.problems import Problem
from bot.api.shapes import Words
from bot.forgetting import erase
from storage.database import Unit
from storage.ratings import RatingBook
from storage.ratings_sink import drain_once

router = APIRouter(prefix="/v1/people", tags=["people"])
Keeper = Annotated[Caller, Depends(needs("rate", "admin"))]
# Judgements that were taken and not stored yet are stored first; more at once wait for the next call.
ROUNDS = 50


class ForgetRequest(BaseModel):
    """Who is to be forgotten. A name that was `client` and `operator` is two people: say both."""

    client: Annotated[Words, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="As in `client` of suggestions, or `user` of completions."
    )
    operator: Annotated[Words, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="As in `operator` of ratings."
    )
    unnamed: bool = Field(default=False, description="Everything that came through the key without a name.")
    key: Annotated[str, Field(pattern="^[0-9a-f]{12}$")] | None = Field(
        default=None, description="Id of the key whose people are meant, if not this one's; scope admin."
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> ForgetRequest:
        if self.client is None and self.operator is None and not self.unnamed:
            raise ValueError("say who: client, operator or unnamed")
        return self


class Forgotten(BaseModel):
    """Answers and judgements that were deleted. `tainted`: adapters that learned from the person, until the next
    refit, which leaves them out."""

    answers: int
    judgements: int
    tainted: list[str]


@router.post("/forget", response_model=Forgotten)
async def forget(
    request: Request, response: Response, given: ForgetRequest, caller: Keeper, once_key: IdempotencyKey = None
) -> Any:
    """Delete somebody's dialogues, answers and judgements. Asking again, or for somebody unknown, deletes nothing."""
    once: Once = request.app.state.once

    async def work() -> dict[str, Any]:
        return (await _forget(request, given, caller)).model_dump()

    answer, repeated = await once.run(caller, once_key, given.model_dump(mode="json"), work)
    if repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return answer


async def _forget(request: Request, given: ForgetRequest, caller: Caller) -> Forgotten:
    state = request.app.state
    book: RatingBook = state.book
    owner, chat_id = await _owner(request, given, caller)
    people = {
        "client": records.person(owner, f"client\0{given.client}") if given.client else None,
        "operator": records.person(owner, f"operator\0{given.operator}") if given.operator else None,
        "unnamed": chat_id if given.unnamed else None,
    }
    await book.stream.ensure()
    for _ in range(ROUNDS):
        if not await drain_once(book, state.database, f"api-{caller.key_id}"):
            break
    whole = Forgotten(answers=0, judgements=0, tainted=[])
    for role, user_id in people.items():
        if user_id is None:
            continue
        async with state.database.view() as unit:
            whole.answers += len(await unit.replies.of_user(user_id))
            whole.judgements += len(await unit.ratings.of_user(user_id))

        def note(unit: Unit, tainted: list[str], role: str = role, user_id: int = user_id) -> None:
            unit.audit.write(caller.chat_id, "forget", str(user_id), who=role, key=owner, tainted=len(tainted))

        whole.tainted += await erase(user_id, state.database, book, note=note)
    whole.tainted = sorted(set(whole.tainted))
    return whole


async def _owner(request: Request, given: ForgetRequest, caller: Caller) -> tuple[str, int]:
    """Id and chat of the key whose people are meant; only the scope admin may name another key."""
    if given.key in (None, caller.key_id):
        return caller.key_id, caller.chat_id
    if "admin" not in caller.scopes:
        raise Problem(403, "scope", "only a key of the scope «admin» may name another key", field="key")
    async with request.app.state.database.view() as unit:
        row = await unit.api_keys.get(given.key)
    if row is None:
        raise Problem(404, "no_such_key", "there is no such key; see: otklik keys list", field="key")
    return row.key_id, row.chat_id
