"""What an adapter is worth: it answers the same held-out messages with the same seeds, through the queue like people's.

Judged by the gate classifier, by a stricter one, and by the people's true taste, which the loop never sees. Knows no
training.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from models.classifier import strongest
from storage.contracts import ChatReply, ChatRequest, FailReason, ReplyState, Turn, now
from storage.conversation import Conversation
from storage.direct import DirectLine
from training.cycle.places import read_json, write_json
from training.evaluation.gate import FittedGate, Opinion
from training.simulation import material
from training.simulation.errors import NoReply
from training.simulation.material import Question
from training.simulation.people import EMOTIONS, Person, Wish
from training.simulation.taste import Features, Taster, satisfaction, utility

AT_ONCE = 64
PATIENCE = 600.0
NOBODY = 1


@dataclass(frozen=True)
class Answered:
    """An answer to a question, judged; an empty text is none. `satisfaction`: mean probability of a 👍 over everybody
    who asks for the emotion."""

    key: str
    emotion: str
    message: str
    text: str
    hit: float
    strict: float
    satisfaction: float
    words: int


@dataclass(frozen=True)
class Measured:
    """An adapter's answers, in the order of the questions; `adapter` as the worker named it."""

    adapter: str
    answers: tuple[Answered, ...]

    def values(self, name: str) -> list[float]:
        """One column."""
        return [float(getattr(one, name)) for one in self.answers]

    def by_emotion(self, name: str) -> dict[str, float]:
        """The mean of a column within each emotion."""
        found = {}
        for emotion in EMOTIONS:
            values = [float(getattr(one, name)) for one in self.answers if one.emotion == emotion]
            if values:
                found[emotion] = sum(values) / len(values)
        return found


class Judges:
    """Everybody who judges a measured answer."""

    def __init__(self, people: Sequence[Person], taster: Taster, gate: Opinion, strict: Opinion) -> None:
        self.taster, self.gate, self.strict = taster, gate, strict
        self.wishes: dict[str, list[Wish]] = {
            emotion: [person.wishes[emotion] for person in people if emotion in person.wishes] for emotion in EMOTIONS
        }

    @classmethod
    def make(cls, people: Sequence[Person], taster: Taster, gate: Opinion) -> Judges:
        """With the strict judge fitted."""
        return cls(people, taster, gate, FittedGate(material.make_strict(), "TF-IDF on held-out seed replies"))

    def judge(self, questions: Sequence[Question], texts: Sequence[str]) -> list[Answered]:
        """Answers to questions with everything that is measured of them."""
        emotions = [one.emotion for one in questions]
        seen = self.taster.read(texts, [one.message for one in questions], emotions)
        hits = [strongest(row) for row in self.gate.classify(texts)]
        strict = [strongest(row) for row in self.strict.classify(texts)]
        return [
            Answered(
                key=question.key,
                emotion=question.emotion,
                message=question.message,
                text=text,
                hit=float(bool(text) and hit == question.emotion),
                strict=float(bool(text) and second == question.emotion),
                satisfaction=self.liking(question.emotion, features),
                words=features.words,
            )
            for question, text, features, hit, second in zip(questions, texts, seen, hits, strict, strict=True)
        ]

    def liking(self, emotion: str, seen: Features) -> float:
        """Mean probability of a 👍 over the people who ask for the emotion; 0 if nobody does."""
        wishes = self.wishes[emotion]
        return sum(satisfaction(utility(wish, seen)) for wish in wishes) / max(1, len(wishes))


async def measure(
    conversation: Conversation, questions: Sequence[Question], judges: Judges, *, arm: str = "active"
) -> Measured:
    """Ask every question once, and judge the answers. NoReply if one is not answered."""
    replies = await _ask(conversation, questions, arm, candidates=None)
    adapters = {reply.provenance.adapter or "base" for reply in replies if reply.provenance}
    if len(adapters) != 1:
        raise NoReply(f"the measurement met several adapters: {', '.join(sorted(adapters))}")
    return Measured(adapters.pop(), tuple(judges.judge(questions, [reply.text for reply in replies])))


async def measure_best(
    conversation: Conversation, questions: Sequence[Question], judges: Judges, candidates: int, *, arm: str = "active"
) -> Measured:
    """The best possible choice: of so many candidates the one that people truly like best."""
    replies = await _ask(conversation, questions, arm, candidates)
    best = []
    for question, reply in zip(questions, replies, strict=True):
        texts = [one.text for one in reply.candidates] or [""]
        judged = judges.judge([question] * len(texts), texts)
        best.append(max(judged, key=lambda one: one.satisfaction))
    return Measured(f"best of {candidates}", tuple(best))


async def _ask(
    conversation: Conversation, questions: Sequence[Question], arm: str, candidates: int | None
) -> list[ChatReply]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(line: DirectLine, question: Question) -> ChatReply:
        async with gate:
            reply = await line.ask(_request(question, line.route, arm, candidates))
        # An answer that must not be sent (empty, looping) is none, and worth nothing; anything else is a fault.
        if reply.state is not ReplyState.DONE and reply.reason is not FailReason.ENGINE:
            raise NoReply(f"question {question.key} ended as {reply.state.value}: {reply.reason}")
        return reply

    async with DirectLine(conversation, "measure").running() as line:
        return await asyncio.gather(*(one(line, question) for question in questions))


def _request(question: Question, salt: str, arm: str, candidates: int | None) -> ChatRequest:
    return ChatRequest(
        request_id=hashlib.blake2b(f"{salt}:{question.key}".encode(), digest_size=12).hexdigest(),
        chat_id=NOBODY,
        user_id=NOBODY,
        turns=(Turn(role="user", text=question.message),),
        emotion=question.emotion,
        arm=arm,
        candidates=candidates,
        seed=int(hashlib.sha256(question.key.encode()).hexdigest()[:8], 16) % 2**31,
        deadline=now() + timedelta(seconds=PATIENCE),
    )


def store(path: Path, measured: Measured) -> None:
    """Write a measurement whole."""
    write_json(path, {"adapter": measured.adapter, "answers": [asdict(one) for one in measured.answers]})


def load(path: Path) -> Measured | None:
    """A stored measurement, None if it is not there."""
    found = read_json(path)
    return None if found is None else Measured(found["adapter"], tuple(Answered(**one) for one in found["answers"]))


def digest(questions: Sequence[Question]) -> str:
    """What the measurements of one simulation have in common."""
    return hashlib.sha256(json.dumps([one.key for one in questions]).encode()).hexdigest()[:16]
