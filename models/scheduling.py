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
    def length(self) -> int:
        """Tokens that one of its rows can grow to."""
        return self.prompt_tokens + self.new_tokens


@dataclass(frozen=True)
class Load:
    """What the engine works on already; `longest`: tokens that its longest row can grow to."""

    rows: int = 0
    longest: int = 0
    solo: bool = False


@dataclass(frozen=True)
class Limits:
    """Bounds of a batch: rows, tokens of cache, padded prompt tokens taken in at once, seconds to wait for company.

    Every row's place in the cache is as wide as the longest row, so the cache is rows times that.
    """

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
    return (
        ticket.rows > limits.rows
        or ticket.rows * ticket.length > limits.tokens
        or ticket.prompt_tokens > limits.prefill_tokens
    )


def _worth_waiting(ready: Sequence[Ticket], limits: Limits, now: float) -> bool:
    full = sum(ticket.rows for ticket in ready) >= limits.rows
    return not full and now - ready[0].since < limits.window


def _fill(ready: Sequence[Ticket], load: Load, limits: Limits) -> list[str]:
    oldest = ready[0]
    order = [oldest, *sorted(ready[1:], key=lambda ticket: abs(ticket.prompt_tokens - oldest.prompt_tokens))]
    chosen: list[str] = []
    rows, longest, longest_prompt = load.rows, load.longest, 0
    for ticket in order:
        longest_then = max(longest, ticket.length)
        prompt_then = max(longest_prompt, ticket.prompt_tokens)
        fits = (
            rows + ticket.rows <= limits.rows
            and (rows + ticket.rows) * longest_then <= limits.tokens
            and prompt_then * (len(chosen) + 1) <= limits.prefill_tokens
        )
        if not fits:
            if not chosen:
                return []
            continue
        chosen.append(ticket.ticket_id)
        rows, longest, longest_prompt = rows + ticket.rows, longest_then, prompt_then
    return chosen
