"""The same answer again: the request that a worker would answer as it did, and what was not the same after all.

Pure. A worker draws each candidate from the request's seed alone, so the same turns, preset, seed and adapter give
the same texts, whoever shares the batch.
"""

from __future__ import annotations

from datetime import datetime

from storage.contracts import ChatReply, ChatRequest, Provenance

BASE = "base"
# What must be equal for an answer to be equal.
COMPARED = ("base_model", "adapter", "prompt_version", "classifier", "sampling", "seed")


def again(
    request: ChatRequest, reply: ChatReply, *, request_id: str, deadline: datetime, route: str = ""
) -> ChatRequest:
    """The request that repeats a reply: its adapter, seed and preset named outright. ValueError without provenance."""
    made = reply.provenance
    if made is None:
        raise ValueError("this reply was not generated, so it cannot be repeated")
    rounds = max(1, made.attempts)
    return request.model_copy(
        update={
            "request_id": request_id,
            "emotion": reply.emotion,
            "arm": made.adapter or BASE,
            "seed": made.seed,
            "candidates": max(1, len(reply.candidates) // rounds) if reply.candidates else request.candidates,
            "deadline": deadline,
            "route": route,
        }
    )


def differences(first: Provenance, second: Provenance) -> tuple[str, ...]:
    """Names of what was not the same between two answers; empty: they had to be equal."""
    return tuple(name for name in COMPARED if getattr(first, name) != getattr(second, name))
