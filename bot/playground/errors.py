"""The refusals of the Bot API, with its own codes and wording. Does not know when they apply.

ApiError                what the Bot API answers to a bot
└── TooManyRequests     429 with `retry_after`
PersonError             what the people API answers to the page or to a test's person
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An `{"ok": false}` answer."""

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters


class TooManyRequests(ApiError):
    """The flood limit, which says after how many whole seconds to come back."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})


class PersonError(Exception):
    """A person tried something that the app would not let them do."""

    def __init__(self, description: str, code: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


def bad_request(what: str) -> ApiError:
    """400, the answer to nearly everything that a bot gets wrong."""
    return ApiError(400, f"Bad Request: {what}")


def forbidden(what: str) -> ApiError:
    """403, for people and groups that do not want the bot."""
    return ApiError(403, f"Forbidden: {what}")


def conflict(what: str) -> ApiError:
    """409, for two ways of receiving updates at once."""
    return ApiError(409, f"Conflict: {what}")
