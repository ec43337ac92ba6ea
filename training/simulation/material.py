"""What people say and what judges were fitted on: the seed corpus cut into shares that do not meet. Knows no people.

By message, so that all replies to one are on the same side (`emotions.share`, salt `judge`); classifiers learn from the
narrow files alone (`seed_corpus.narrow`), messages and better answers come from all:

    held out (a tenth)         measuring: messages that nobody is asked about while the loop learns
    training, share < 0.7      people's messages, their own better answers, their taste classifier; the picker's share
    training, share >= 0.7     the gate classifier `seed`
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.data import emotions, seed_check, seed_corpus
from training.data.seed_corpus import SeedRow
from training.evaluation.gate import SEED_SHARE
from training.evaluation.tfidf import TfIdf
from training.simulation.people import EMOTIONS
from training.simulation.taste import Taster

INTENSITY = 2


@dataclass(frozen=True)
class Question:
    """A prompt of the measurement: a held-out message, wanted in an emotion."""

    key: str
    message: str
    emotion: str


@dataclass(frozen=True)
class Material:
    """What people write while the loop learns; better answers by `(message, preset id)`; what is measured on."""

    messages: tuple[str, ...]
    better: Mapping[tuple[str, str], str]
    held_out: tuple[str, ...]


def gather(rows: Iterable[SeedRow] | None = None) -> Material:
    """The shares of the seed corpus that people use; dialogues of one message only."""
    single = [row for row in (seed_corpus.load() if rows is None else rows) if len(row.turns) == 1]
    train, held = seed_corpus.split(single)
    spoken = [row for row in train if people_share(row)]
    better = {
        (row.message, label): row.reply
        for row in spoken
        if (label := emotions.SEED_LABELS.get(row.emotion)) and row.intensity == INTENSITY
    }
    return Material(_messages(spoken), better, _messages(held))


def people_share(row: SeedRow) -> bool:
    """Whether a training row is people's; the others are the gate's."""
    return emotions.share(row.message, "judge") < SEED_SHARE


def make_taster(rows: Iterable[SeedRow] | None = None) -> Taster:
    """People's own reading of answers, on their share of what judges may learn from."""
    train, _ = seed_corpus.split(seed_corpus.narrow(seed_corpus.load() if rows is None else rows))
    model = TfIdf.fit(list(emotions.seed(row for row in train if people_share(row))))
    return Taster(model, _dictionary())


def make_strict(rows: Iterable[SeedRow] | None = None) -> TfIdf:
    """A second judge of the measurement, on replies that no weights at all were trained on: held-out ones of the narrow
    files."""
    _, held = seed_corpus.split(seed_corpus.narrow(seed_corpus.load() if rows is None else rows))
    return TfIdf.fit(list(emotions.seed(held)))


def questions(material: Material, most: int) -> list[Question]:
    """Held-out messages in every emotion, up to `most`, as many of each emotion as may be; in a stable order."""
    found = []
    messages = sorted(material.held_out, key=_digest)
    for number, message in enumerate(messages):
        for place in range(len(EMOTIONS)):
            emotion = EMOTIONS[(place + number) % len(EMOTIONS)]
            found.append((place, number, Question(f"{_digest(message)[:12]}-{emotion}", message, emotion)))
    found.sort(key=lambda one: one[:2])
    return [question for *_, question in found[:most]]


def _messages(rows: Sequence[SeedRow]) -> tuple[str, ...]:
    return tuple(sorted({row.message for row in rows}))


def _dictionary() -> Callable[[str], bool]:
    known = seed_check.dictionary()
    own = set(seed_check.KNOWN_WORDS.read_text(encoding="utf-8").split())
    return lambda word: word in own or known(word)


def _digest(message: str) -> str:
    return hashlib.sha256(message.encode()).hexdigest()
