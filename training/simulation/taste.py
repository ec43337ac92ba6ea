"""How much an answer is to somebody's liking: features that no training ever sees as such, and their known utility.

The emotion is read by a classifier of the people's own (TF-IDF on a share of the seed corpus that the gate was not
fitted on). Knows nothing of ratings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.data.emotions import LABELS
from training.data.seed_check import words as russian_words
from training.evaluation.tfidf import TfIdf
from training.simulation.people import Wish

# Of a word, so much tells what it is about: «работу» and «работе» are the same topic.
STEM = 5
# Words shorter than this are grammar.
CONTENT = 4
# What an answer with nothing for or against it is worth; set so that people like about six in ten of the starter's.
BIAS = 0.4


@dataclass(frozen=True)
class Features:
    """What people notice. `emotion`: share of the taste classifier's belief in the wanted label; `topic`, `invented`
    and `repeated` are shares of words."""

    emotion: float
    words: int
    topic: float
    invented: float
    repeated: float


class Taster:
    """Reads features; `known` tells whether a word is in the dictionary."""

    def __init__(self, emotion: TfIdf, known: Callable[[str], bool]) -> None:
        self.emotion = emotion
        self._known = known
        self._remembered: dict[str, bool] = {}

    def read(self, answers: Sequence[str], messages: Sequence[str], emotions: Sequence[str]) -> list[Features]:
        """The features of answers to messages, wanted in these emotions (preset ids that are labels)."""
        if not answers:
            return []
        believed = self.emotion.predict(answers)
        found = []
        for row, answer, message, emotion in zip(believed, answers, messages, emotions, strict=True):
            belief = float(row[LABELS.index(emotion)] / max(1e-9, float(row.sum())))
            found.append(self._features(answer, message, belief))
        return found

    def _features(self, answer: str, message: str, belief: float) -> Features:
        said = russian_words(answer)
        return Features(
            emotion=belief,
            words=len(said),
            topic=overlap(said, russian_words(message)),
            invented=sum(not self._exists(word) for word in said) / max(1, len(said)),
            repeated=1 - len(set(said)) / max(1, len(said)),
        )

    def _exists(self, word: str) -> bool:
        if word not in self._remembered:
            parts = re.split("-", word)
            self._remembered[word] = self._known(word) or all(map(self._known, parts))
        return self._remembered[word]


def overlap(said: Sequence[str], asked: Sequence[str]) -> float:
    """Share of a message's content words that the answer takes up, by their first letters; 0 where it has none."""
    wanted = {word[:STEM] for word in asked if len(word) >= CONTENT}
    return len(wanted & {word[:STEM] for word in said}) / len(wanted) if wanted else 0.0


def utility(wish: Wish, seen: Features) -> float:
    """How good an answer is to somebody, in logits of a 👍: the truth that nothing but the ratings tells of.

    An empty answer is worth nothing at all, so it is as bad as can be.
    """
    if seen.words == 0:
        return -6.0
    return (
        BIAS
        + wish.emotion * (seen.emotion - 0.5)
        - wish.length * abs(math.log(seen.words / wish.words))
        + wish.topic * seen.topic
        - wish.clean * seen.invented
        - 2.0 * seen.repeated
    )


def satisfaction(value: float) -> float:
    """The probability of a 👍 at a utility."""
    return 1 / (1 + math.exp(-value))
