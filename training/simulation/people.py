"""Synthetic people: who they are, which emotions they ask for, what they like in each. Pure, the same for a seed.

Knows no answer and no message; `taste` says how much an answer is to somebody's liking.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Presets that people's taste and the second judge read: both were fitted without sympathy.
EMOTIONS = ("neutral", "joy", "sadness", "surprise", "fear", "anger", "disgust")
FIRST_ID = 1_000
# What people on the whole like an answer's length to be, in words, by emotion: angry ones short, sad ones longer.
LENGTHS: Mapping[str, float] = {
    "neutral": 10.0,
    "joy": 12.0,
    "sadness": 16.0,
    "surprise": 11.0,
    "fear": 14.0,
    "anger": 9.0,
    "disgust": 12.0,
}


class Kind(StrEnum):
    """How somebody rates."""

    HONEST = "honest"
    AGREEABLE = "agreeable"  # 👍 whatever comes
    INVERTED = "inverted"  # 👎 for what they like


@dataclass(frozen=True)
class Wish:
    """What somebody wants of answers in one emotion: the weights of `taste.utility`, and a length in words."""

    words: float
    emotion: float
    length: float
    topic: float
    clean: float


@dataclass(frozen=True)
class Person:
    """One synthetic person; `wishes` by preset id, only for the emotions that they ask for."""

    user_id: int
    kind: Kind
    wishes: Mapping[str, Wish]

    @property
    def emotions(self) -> tuple[str, ...]:
        """What they like to ask for."""
        return tuple(self.wishes)


def make_people(count: int, seed: int, *, agreeable: float = 0.0, inverted: float = 0.0) -> list[Person]:
    """`count` people, of which the given shares (rounded) always approve or rate the wrong way round.

    Tastes do not depend on the kinds, so that worlds with and without bad raters have the same people otherwise.
    ValueError if the shares are no shares.
    """
    if agreeable < 0 or inverted < 0 or agreeable + inverted > 1:
        raise ValueError(f"shares of raters must lie in [0, 1] and not exceed it together: {agreeable}, {inverted}")
    kinds = _kinds(count, seed, round(count * agreeable), round(count * inverted))
    return [Person(FIRST_ID + number, kinds[number], _wishes(seed, number)) for number in range(count)]


def _kinds(count: int, seed: int, agreeable: int, inverted: int) -> Sequence[Kind]:
    kinds = [Kind.AGREEABLE] * agreeable + [Kind.INVERTED] * inverted
    kinds += [Kind.HONEST] * (count - len(kinds))
    random.Random(f"{seed}:kinds").shuffle(kinds)
    return kinds


def _wishes(seed: int, number: int) -> Mapping[str, Wish]:
    """Three emotions each, handed round so that every emotion has about as many people who ask for it."""
    chance = random.Random(f"{seed}:person:{number}")
    first = EMOTIONS[number % len(EMOTIONS)]
    others = chance.sample([name for name in EMOTIONS if name != first], 2)
    return {name: _wish(chance, name) for name in (first, *others)}


def _wish(chance: random.Random, emotion: str) -> Wish:
    return Wish(
        words=LENGTHS[emotion] * chance.uniform(0.75, 1.35),
        emotion=chance.uniform(3.0, 5.0),
        length=chance.uniform(0.5, 1.1),
        topic=chance.uniform(0.3, 1.2),
        clean=chance.uniform(2.0, 5.0),
    )
