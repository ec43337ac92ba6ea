"""One row's answer as it grows: its tokens, its random numbers, and when it ends. Knows no tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.engine import Finish, Row

# An answer that repeats up to 8 tokens three times over is looping; checked every 8 tokens, from 24 on.
LOOP_EVERY = 8
LOOP_FROM = 24
LOOP_UNIT = 8
STOP_TAIL = 16


@dataclass
class Live:
    """A row in the batch. `budget`: tokens that it may still have when it begins; `logs`: log probability of each
    token that was drawn, the end token too."""

    row: Row
    uniforms: list[float]
    budget: int
    tokens: list[int] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)

    def take(
        self, token: int, ends: frozenset[int], stops: Sequence[str], decode: Callable[[list[int]], str]
    ) -> Finish | None:
        """Add a token; how the row ended, or None while it goes on. End tokens are not kept."""
        if token in ends:
            return "stop"
        self.tokens.append(token)
        if stops and any(stop in decode(self.tokens[-STOP_TAIL:]) for stop in stops):
            return "stop"
        if len(self.tokens) >= self.budget or (len(self.tokens) % LOOP_EVERY == 0 and loops(self.tokens)):
            return "length"
        return None

    @property
    def likelihood(self) -> float | None:
        """Mean of `logs`."""
        return sum(self.logs) / len(self.logs) if self.logs else None

    @property
    def next_uniform(self) -> float:
        """The random number of the next token."""
        return self.uniforms[len(self.tokens)]


def loops(tokens: Sequence[int]) -> bool:
    """Whether the answer ends in a repetition: the last 24 tokens have a period of at most 8."""
    if len(tokens) < LOOP_FROM:
        return False
    tail = tokens[-LOOP_FROM:]
    return any(all(tail[i] == tail[i - unit] for i in range(unit, LOOP_FROM)) for unit in range(1, LOOP_UNIT + 1))


def cut(text: str, stops: Sequence[str]) -> str:
    """The text up to the first stop text, without the blanks around it."""
    for stop in stops:
        text = text.split(stop, 1)[0]
    return text.strip()
