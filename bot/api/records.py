"""What the API keeps of an answer: the same rows as Telegram's answers, so that ratings of both teach alike.

A key's chat is its place; the client whose question it was and the operator who rates are people of their own, known
by opaque numbers made of the names that the program gives them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from bot.api.access import Caller
from bot.api.problems import Problem
from storage.contracts import ChatReply, ChatRequest
from storage.database import Database, Unit
from storage.repositories.api_keys import FIRST, SPAN
from storage.tables import ReplyRow, TurnRow

# As precise as a JSON number, and below every key's chat.
PEOPLE = FIRST - SPAN - 1


def person(key_id: str, name: str) -> int:
    """The number of somebody whom a program calls by a name; names of different keys never meet."""
    return PEOPLE - _number(f"person\0{key_id}\0{name}", 50)


def mark(caller: Caller, once_key: str, body: str) -> str:
    """What the ratings of a request with this Idempotency-Key and body are known by, however often it comes."""
    return hashlib.blake2b(f"{caller.key_id}\0{once_key}\0{body}".encode(), digest_size=12).hexdigest()


def place(request_id: str, other: str = "") -> int:
    """Where a judgement of an answer, or of a pair of answers in any order, is kept: the «message» of the chat."""
    return _number("\0".join(sorted((request_id, other))), 52)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that can be rated."""

    request_id: str
    turn_id: int
    siblings: tuple[str, ...]


async def keep(
    database: Database,
    caller: Caller,
    client: str,
    asked: Sequence[tuple[ChatRequest, ChatReply]],
    task: tuple[str, int] | None = None,
) -> TurnRow | None:
    """One turn with the answers to it as its variants, delivered already.

    `task`: fingerprint of a named question, and who is asked first. None: answers to it were kept meanwhile.
    """
    user_id = person(caller.key_id, f"client\0{client}") if client else caller.chat_id
    async with database.unit() as unit:
        await _agreed(unit, caller, user_id)
        turn = await unit.turns.add(caller.chat_id, user_id, 0)
        turn.state = "done"
        for variant, (request, reply) in enumerate(asked):
            stored = request.model_copy(update={"variant": variant, "user_id": user_id})
            row = await unit.replies.ask(turn, stored)
            unit.replies.answer(row, reply)
            row.delivery, row.message_ids = "sent", [place(request.request_id)]
            row.created_at = request.created_at
        turn.shown = asked[0][0].request_id
        if task and not await unit.tasks.claim(caller.chat_id, task[0], turn.id, task[1]):
            return None
        await unit.commit()
        return turn


async def find(database: Database, caller: Caller, request_id: str) -> Kept:
    """An answer of this key; a Problem where there is none, or it is another key's."""
    async with database.view() as unit:
        row = await unit.replies.get(request_id)
        if row is None or row.chat_id != caller.chat_id:
            raise Problem(404, "no_such_answer", "this key was given no such answer, or it was not stored")
        others = await unit.session.scalars(select(ReplyRow.request_id).where(ReplyRow.turn_id == row.turn_id))
        return Kept(request_id, row.turn_id, tuple(one for one in others if one != request_id))


def operator(caller: Caller, name: str) -> int:
    """The number of an operator; without a name, of the key itself."""
    return person(caller.key_id, f"operator\0{name}") if name else caller.chat_id


async def rater(database: Database, caller: Caller, name: str) -> int:
    """The number of an operator, who is known from now on."""
    user_id = operator(caller, name)
    async with database.view() as unit:
        known = await unit.people.get(user_id)
    if known is None or known.consent is not caller.learn:
        async with database.unit() as unit:
            await _agreed(unit, caller, user_id)
            await unit.commit()
    return user_id


async def _agreed(unit: Unit, caller: Caller, user_id: int) -> None:
    known = await unit.people.ensure(user_id)
    if known.consent is not caller.learn:
        await unit.people.consent(user_id, caller.learn)


def _number(text: str, bits: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> (64 - bits)
