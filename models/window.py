"""Turns made ready for a model: one speaker after the other, the person last. Knows nothing of tokens."""

from __future__ import annotations

from collections.abc import Sequence

from storage.contracts import Turn


def newest(turns: Sequence[Turn], most: int | None) -> tuple[Turn, ...]:
    """At most so many of the newest turns, tidied."""
    kept = tidy(turns)
    return kept if most is None else tidy(kept[-most:])


def tidy(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Neighbouring turns of one role joined by a line break, the answer's beginning turns dropped.

    Many chat templates refuse two turns of one role in a row, or a dialogue that the assistant opens.
    """
    joined: list[Turn] = []
    for turn in turns:
        if not turn.text.strip():
            continue
        if joined and joined[-1].role == turn.role:
            joined[-1] = Turn(role=turn.role, text=f"{joined[-1].text}\n{turn.text}")
        else:
            joined.append(turn)
    while joined and joined[0].role == "assistant":
        joined.pop(0)
    return tuple(joined)
