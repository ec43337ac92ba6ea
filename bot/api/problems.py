"""Errors as problem details (RFC 9457), with the member `error` that OpenAI's clients read beside it.

Every error names its cause and what to do; none quotes what people wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

log = structlog.get_logger(__name__)

MEDIA = "application/problem+json"
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


# What the framework says in a word only.
PLAIN = {
    400: ("bad_request", "the body cannot be read: it must be JSON in UTF-8"),
    404: ("not_found", "there is nothing at this address; see /docs"),
    405: ("method_not_allowed", "this address does not take this method; see /docs"),
    413: ("body_too_large", "the body is too large; send less of the dialogue"),
}


class Fault(BaseModel):
    """One wrong field."""

    field: str
    message: str


class ErrorBody(BaseModel):
    """What OpenAI's clients read."""

    message: str
    type: str
    code: str
    param: str | None = None


class ProblemBody(BaseModel):
    """Problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] = []
    error: ErrorBody


class Problem(Exception):
    """An answer that is an error: status, a code for programs, what is wrong and what to do for people."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, field: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.field = field


def body(status: int, code: str, detail: str, faults: list[Fault] | None = None, field: str | None = None) -> Any:
    """The JSON of a problem."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    found = faults or []
    param = field or (found[0].field if found else None)
    return ProblemBody(
        title=_phrase(status),
        status=status,
        detail=detail,
        code=code,
        errors=found,
        error=ErrorBody(message=detail, type=kind, code=code, param=param),
    ).model_dump()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Closed Request"  # 499, which the standard does not name


def answer(problem: Problem) -> JSONResponse:
    """A problem as a response."""
    return JSONResponse(
        body(problem.status, problem.code, problem.detail, field=problem.field),
        problem.status,
        headers=problem.headers,
        media_type=MEDIA,
    )


# For every route's description; media types are mended by `described`.
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ProblemBody, "description": "What is wrong with the request, and what to do (RFC 9457)."},
    "5XX": {"model": ProblemBody, "description": "What is wrong here; trying again may help."},
}


def described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The OpenAPI description, with problems under their own media type."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        whole = plain()
        for operations in whole["paths"].values():
            for operation in operations.values():
                for status in RESPONSES:
                    content = operation["responses"].get(str(status), {}).get("content", {})
                    if "application/json" in content:
                        content[MEDIA] = content.pop("application/json")
        return whole

    return openapi


def invalid(error: RequestValidationError) -> JSONResponse:
    """A request of another shape than described, every wrong field named."""
    found = error.errors()
    if found and found[0]["type"] == "json_invalid":
        text = f"the body is not JSON, from its character {found[0]['loc'][-1]} on"
        return JSONResponse(body(422, "not_json", text, field="body"), 422, media_type=MEDIA)
    faults = [Fault(field=_field(one["loc"]), message=one["msg"]) for one in found]
    # Of the ways in which a field could have been right, the one that came furthest says most.
    faults = [one for one in faults if not any(other.field.startswith(f"{one.field}.") for other in faults)]
    text = "; ".join(f"{one.field}: {one.message}" for one in faults[:5])
    return JSONResponse(body(422, "invalid_request", text, faults), 422, media_type=MEDIA)


def plain(error: HTTPException) -> JSONResponse:
    """What the framework refuses by itself: unknown addresses and methods."""
    code, detail = HTTPStatus(error.status_code).name.lower(), str(error.detail)
    code, detail = PLAIN.get(error.status_code, (code, detail))
    return JSONResponse(
        body(error.status_code, code, detail), error.status_code, headers=error.headers, media_type=MEDIA
    )


def _field(place: Sequence[str | int]) -> str:
    """A field's name without the names of the shapes that were tried for it."""
    return ".".join(str(part) for part in place[1:] if "[" not in str(part)) or str(place[0])


def register(app: FastAPI) -> None:
    """Every error of the application leaves it as a problem, and the description says so."""
    setattr(app, "openapi", described(app))  # noqa: B010  (the way FastAPI is told of another description)

    @app.exception_handler(Problem)
    async def ours(_request: Request, problem: Problem) -> JSONResponse:
        return answer(problem)

    @app.exception_handler(RequestValidationError)
    async def wrong(_request: Request, error: RequestValidationError) -> JSONResponse:
        return invalid(error)

    @app.exception_handler(HTTPException)
    async def word(_request: Request, error: HTTPException) -> JSONResponse:
        return plain(error)

    async def away(_request: Request, error: Exception) -> JSONResponse:
        log.error("storage away", error=type(error).__name__)
        return answer(
            Problem(503, "storage_away", "the storage behind this API is away; try again", headers={"Retry-After": "2"})
        )

    for kind in (RedisError, SQLAlchemyError):
        app.add_exception_handler(kind, away)
