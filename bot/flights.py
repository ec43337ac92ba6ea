"""Requests that people wait for right now, in memory: for «typing…» and the queue note. Rebuilt at start."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Flight:
    """One request on its way. `edits`: its answer changes a message that is there.

    `note_id`: the queue note's message; `told`: what that says now.
    """

    chat_id: int
    request_id: str
    turn_id: int
    edits: bool = False
    since: float = field(default_factory=time.monotonic)
    note_id: int | None = None
    told: str = ""


class Flights:
    """All requests on their way, by request id."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self.on_take_off: Callable[[Flight], None] = lambda flight: None

    def add(self, chat_id: int, request_id: str, turn_id: int, *, edits: bool = False) -> None:
        """Somebody waits for this request from now on."""
        if request_id not in self._flights:
            flight = self._flights[request_id] = Flight(chat_id, request_id, turn_id, edits)
            self.on_take_off(flight)

    def land(self, request_id: str) -> Flight | None:
        """Nobody waits for it any more."""
        return self._flights.pop(request_id, None)

    def waits(self, request_id: str) -> bool:
        """Whether somebody still waits for it."""
        return request_id in self._flights

    def all(self) -> list[Flight]:
        """Everything on its way, oldest first."""
        return list(self._flights.values())
