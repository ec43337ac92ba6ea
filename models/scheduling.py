"""Who enters the batch next: dynamic batching as a pure function.

A short window when idle, a row limit, a token budget, and prompts of like length together so that little is padded.
Knows nothing of engines or requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ticket:
    """A group of rows sharing one prompt that waits for admission, in order of arrival.

    `solo`: suspected of crashing the engine, so it runs with nothing beside it.
    """

    ticket_id: str
    rows: int
    prompt_tokens: int
    new_tokens: int
    since: float
    solo: bool = False

    @property
    def cost(self) -> int:
        """Tokens of cache that it can grow to."""
        return self.rows * (self.prompt_tokens + self.new_tokens)


@dataclass(frozen=True)
class Load:
    """What the engine works on already."""

    rows: int = 0
    tokens: int = 0
    solo: bool = False


@dataclass(frozen=True)
class Limits:
    """Bounds of a batch: rows, tokens of cache, padded prompt tokens taken in at once, seconds to wait for company."""

    rows: int
    tokens: int
    prefill_tokens: int
    window: float


def plan(waiting: Sequence[Ticket], load: Load, limits: Limits, now: float) -> list[str]:
    """Ids of the tickets to admit now; `waiting` is oldest first.

    The oldest ticket goes first or nobody does, so nobody starves. A ticket too large for any limit runs alone.
    The others are taken nearest in prompt length to the oldest, because a group is padded to its longest prompt.
    """
    if not waiting or load.solo:
        return []
    oldest = waiting[0]
    idle = load.rows == 0
    if oldest.solo or _oversized(oldest, limits):
        return [oldest.ticket_id] if idle else []
    ready = [ticket for ticket in waiting if not ticket.solo and not _oversized(ticket, limits)]
    if idle and _worth_waiting(ready, limits, now):
        return []
    return _fill(ready, load, limits)


def _oversized(ticket: Ticket, limits: Limits) -> bool:
    return ticket.rows > limits.rows or ticket.cost > limits.tokens or ticket.prompt_tokens > limits.prefill_tokens


def _worth_waiting(ready: Sequence[Ticket], limits: Limits, now: float) -> bool:
    full = sum(ticket.rows for ticket in ready) >= limits.rows
    return not full and now - ready[0].since < limits.window


def _fill(ready: Sequence[Ticket], load: Load, limits: Limits) -> list[str]:
    oldest = ready[0]
    order = [oldest, *sorted(ready[1:], key=lambda ticket: abs(ticket.prompt_tokens - oldest.prompt_tokens))]
    chosen: list[str] = []
    rows, tokens, longest = load.rows, load.tokens, 0
    for ticket in order:
        longest_then = max(longest, ticket.prompt_tokens)
        fits = (
            rows + ticket.rows <= limits.rows
            and tokens + ticket.cost <= limits.tokens
            and longest_then * (len(chosen) + 1) <= limits.prefill_tokens
        )
        if not fits:
            if not chosen:
                return []
            continue
        chosen.append(ticket.ticket_id)
        rows, tokens, longest = rows + ticket.rows, tokens + ticket.cost, longest_then
    return chosen
