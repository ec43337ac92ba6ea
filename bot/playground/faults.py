"""Failures on request: a test says which call of a bot goes wrong and how. Does not know what the call does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bot.playground.errors import ApiError, TooManyRequests

DESCRIPTIONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    504: "Gateway Timeout",
}


@dataclass(slots=True)
class Fault:
    """One planned failure.

    `accepted`: the call is carried out first (the message is in the chat), then it goes wrong.
    `drop`: the connection is cut instead of an answer. `delay`: seconds before the answer.
    With neither an error nor `drop` the call is only slow.
    """

    method: str
    error: ApiError | None = None
    accepted: bool = False
    drop: bool = False
    delay: float = 0.0
    times: int = 1
    chat_id: int | None = None
    when: Callable[[dict[str, Any]], bool] | None = None

    def matches(self, method: str, params: dict[str, Any]) -> bool:
        """Whether this call is the one that goes wrong."""
        if self.times <= 0 or self.method.lower() not in ("*", method.lower()):
            return False
        if self.chat_id is not None and str(params.get("chat_id")) != str(self.chat_id):
            return False
        return self.when is None or self.when(params)


@dataclass(slots=True)
class Faults:
    """The planned failures, in the order in which they were asked for."""

    planned: list[Fault] = field(default_factory=list)

    def add(
        self,
        method: str,
        error_code: int | None = None,
        description: str | None = None,
        *,
        retry_after: int | None = None,
        **how: Any,
    ) -> Fault:
        """Plan a failure; `how` are the other fields of `Fault`."""
        error: ApiError | None = None
        if retry_after is not None:
            error = TooManyRequests(retry_after)
        elif error_code is not None:
            error = ApiError(error_code, description or DESCRIPTIONS.get(error_code, "Error"))
        fault = Fault(method, error, **how)
        self.planned.append(fault)
        return fault

    def take(self, method: str, params: dict[str, Any]) -> Fault | None:
        """The failure for this call, used up by one."""
        for fault in self.planned:
            if fault.matches(method, params):
                fault.times -= 1
                if fault.times <= 0:
                    self.planned.remove(fault)
                return fault
        return None
