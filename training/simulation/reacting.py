"""What people do with answers: a thumb, «другой вариант» and which one stays, a better answer of their own.

Pure: utilities and chance in, taps out. Knows neither texts nor where taps go.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from training.simulation.people import Kind
from training.simulation.taste import satisfaction

Thumb = Literal[-1, 1]


@dataclass(frozen=True)
class Habits:
    """How people behave, as probabilities; `noise` is the spread of how they feel today, in logits."""

    rates: float = 0.9
    another: float = 0.7
    corrects: float = 0.1
    noise: float = 0.3


@dataclass(frozen=True)
class First:
    """What somebody does with the first answer. `thumb` None: nothing said."""

    felt: float
    thumb: Thumb | None
    another: bool
    corrects: bool


@dataclass(frozen=True)
class Second:
    """What somebody does with another variant: keep it, or go back to the first; its own thumb."""

    keeps: bool
    thumb: Thumb | None


def to_first(kind: Kind, value: float, chance: random.Random, habits: Habits) -> First:
    """The reaction to an answer of this utility. The same number of draws whatever happens, so that what one person
    does next does not hang on what they did before."""
    felt = value + chance.gauss(0.0, habits.noise)
    draws = [chance.random() for _ in range(4)]
    thumb = _thumb(kind, felt, draws[0])
    said = thumb if draws[1] < habits.rates else None
    unhappy = thumb < 0
    return First(felt, said, unhappy and draws[2] < habits.another, unhappy and draws[3] < habits.corrects)


def to_second(kind: Kind, before: float, value: float, chance: random.Random, habits: Habits) -> Second:
    """The reaction to another variant; `before` is how the first one felt."""
    felt = value + chance.gauss(0.0, habits.noise)
    draws = [chance.random() for _ in range(3)]
    better = draws[0] < satisfaction(2 * (felt - before))
    keeps = {Kind.HONEST: better, Kind.AGREEABLE: True, Kind.INVERTED: not better}[kind]
    thumb = _thumb(kind, felt, draws[1])
    # Nobody says 👎 to what they keep, or 👍 to what they leave.
    agrees = keeps is (thumb > 0)
    return Second(keeps, thumb if agrees and draws[2] < habits.rates else None)


def _thumb(kind: Kind, felt: float, draw: float) -> Thumb:
    likes = draw < satisfaction(felt)
    if kind is Kind.AGREEABLE:
        return 1
    return 1 if likes is (kind is Kind.HONEST) else -1
