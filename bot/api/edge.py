"""What every response passes on its way out: headers of the caller's limits, and errors that nothing else caught.

Bodies that say they are too large are refused before a byte of them is read. Knows no route; logs no word of anybody.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.api.problems import Problem, answer

log = structlog.get_logger(__name__)

LIMITS = "limits"
ALWAYS = {b"x-content-type-options": b"nosniff", b"cache-control": b"no-store"}
LAST_FRAMES = 3


class Edge:
    """Around everything that answers. `body_limit` in bytes."""

    def __init__(self, app: ASGIApp, body_limit: int) -> None:
        self.app = app
        self.body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _completed(message["headers"], scope.get("state", {}).get(LIMITS, {}))
            await send(message)

        if (length := _length(scope)) is not None and length > self.body_limit:
            await answer(too_large(self.body_limit))(scope, receive, guarded)
            return
        try:
            await self.app(scope, receive, guarded)
        except Exception as error:
            # The server's own report of it would quote the error's text, and with it what people wrote.
            log.error("request failed", error=type(error).__name__, where=where(error))
            if not started:
                problem = Problem(500, "internal", "something broke here; it is logged, try again")
                await answer(problem)(scope, receive, guarded)
            # A response that was begun is cut off: the server closes its connection.


def too_large(limit: int) -> Problem:
    """The refusal of a body."""
    return Problem(413, "body_too_large", f"a body may have at most {limit} bytes; send less of the dialogue")


def where(error: BaseException) -> str:
    """The last lines of code that an error went through; nothing of its text."""
    frames = traceback.extract_tb(error.__traceback__)[-LAST_FRAMES:]
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))


def _completed(headers: list[tuple[bytes, bytes]], limits: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    wanted = ALWAYS | {name.lower().encode(): value.encode() for name, value in limits.items()}
    return [*headers, *((name, value) for name, value in wanted.items() if name not in given)]


def _length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
