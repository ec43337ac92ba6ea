"""Feedback for tests: entries in memory, and people who talk and judge in real SQL by the repositories' own calls."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.contracts import (
    Candidate,
    ChatReply,
    ChatRequest,
    Provenance,
    Rating,
    ReplyState,
    Sampling,
    Turn,
    request_id,
)
from storage.database import Database, Unit
from training.data.feedback import Entry, FeedbackLog, Given, Judgement

START = datetime(2026, 1, 1, tzinfo=UTC)
# Everyday questions and answers: every answer is another text, none is defective.
QUESTIONS = ("Как прошёл твой день?", "Что посоветуешь почитать?", "Мне сегодня грустно.", "Завтра у меня экзамен.")


def judged(person: str, **said: Any) -> Judgement:
    """A judgement of the first minute."""
    return Judgement(**{"person": person, "created_at": START, **said})


def given(name: str, text: str, *judgements: Judgement, **more: Any) -> Given:
    """An answer."""
    return Given(request_id=name, text=text, judgements=judgements, **more)


def entry(*answers: Given, person: str = "1", prompt: str | tuple[Turn, ...] = QUESTIONS[0], **more: Any) -> Entry:
    """An entry; `prompt` may be the person's words alone."""
    turns = (Turn(role="user", text=prompt),) if isinstance(prompt, str) else prompt
    values = {"emotion": "joy", "created_at": START, **more}
    return Entry(person=person, prompt=turns, answers=answers, **values)


def log_of(*entries: Entry, numbered: bool = True) -> FeedbackLog:
    """A log of these entries."""
    log = FeedbackLog(numbered=numbered)
    for one in entries:
        log.add(one)
    return log


class Town:
    """People of a real database. Every call is a committed unit."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.messages = 0

    async def person(self, user_id: int, agrees: bool | None = True) -> None:
        """Somebody, and what they said of being learned from."""
        async with self.database.unit() as unit:
            await unit.people.ensure(user_id)
            if agrees is not None:
                await unit.people.consent(user_id, agrees)
            await unit.commit()

    async def chat(self, chat_id: int, kind: str = "private") -> None:
        """A chat."""
        async with self.database.unit() as unit:
            await unit.chats.ensure(chat_id, kind=kind, emotion="joy", intensity=2)
            await unit.commit()

    async def ask(
        self, user_id: int, turns: tuple[Turn, ...] | str, *answers: str, chat_id: int | None = None, **more: Any
    ) -> list[str]:
        """One turn with its variants, all shown, the last one on the screen; their request ids."""
        async with self.database.unit() as unit:
            self.messages += 10
            place = user_id if chat_id is None else chat_id
            turn = await unit.turns.add(place, user_id, more.pop("epoch", 0))
            turn.revision = more.pop("revision", 0)
            ids = [await self._answer(unit, turn, turns, text, number, **more) for number, text in enumerate(answers)]
            turn.shown, turn.state, turn.message_ids = ids[-1], "done", [self.messages + 1]
            await unit.commit()
        return ids

    async def _answer(
        self, unit: Unit, turn: Any, turns: tuple[Turn, ...] | str, text: str, number: int, **more: Any
    ) -> str:
        name = request_id(turn.chat_id, (self.messages,), revision=turn.revision, variant=number)
        dialogue = (Turn(role="user", text=turns),) if isinstance(turns, str) else turns
        candidates = more.pop("candidates", ())
        request = ChatRequest(
            request_id=name,
            chat_id=turn.chat_id,
            user_id=turn.user_id,
            turns=dialogue,
            variant=number,
            deadline=START + timedelta(days=1),
            **{"emotion": "joy", **more},
        )
        row = await unit.replies.ask(turn, request)
        made = Provenance(
            base_model="base", adapter="a" * 12, prompt_version="p", sampling=Sampling(), seed=1, worker="w"
        )
        unit.replies.answer(
            row,
            ChatReply(
                request_id=name,
                chat_id=turn.chat_id,
                state=ReplyState.DONE,
                text=text,
                emotion=request.emotion,
                intensity=request.intensity,
                candidates=tuple(Candidate(text=one, fit=fit) for one, fit in candidates),
                provenance=made,
            ),
        )
        row.delivery, row.message_ids, row.created_at = "sent", [self.messages + 1], START
        return name

    async def rate(self, user_id: int, chat_id: int, request: str, **said: Any) -> None:
        """A judgement, through the history as the trainer stores it."""
        async with self.database.unit() as unit:
            row = await unit.replies.get(request)
            assert row is not None
            mark = f"{user_id}-{request}-{sorted(said)}-{said.get('preferred_over')}"
            moment = said.pop("created_at", START + timedelta(minutes=1))
            await unit.ratings.store(
                Rating(
                    rating_id=hashlib.sha256(mark.encode()).hexdigest(),
                    chat_id=chat_id,
                    message_id=row.message_ids[-1],
                    user_id=user_id,
                    request_id=request,
                    created_at=moment,
                    **said,
                )
            )
            await unit.commit()
