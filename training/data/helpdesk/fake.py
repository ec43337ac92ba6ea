"""A Zoho Desk for tests: a real HTTP server on the loopback interface that follows the API's public description.

It refuses what the description refuses (unknown parameters, too large pages, missing or expired tokens, another
organisation), answers 204 where a listing is empty, and can be told to fail now and then. `contract.py` is asked of it
as of the real one. Knows nothing of the exporter.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CLIENT, SECRET, REFRESH, ORGANISATION = "1000.CLIENT", "client-secret-5d1f", "1000.refresh-77aa", "2389290"
Record = dict[str, Any]
Reply = tuple[int, Record | None]
ERRORS = {
    "INVALID_OAUTH": (401, "The OAuth Token you provided is invalid."),
    "OAUTH_ORG_MISMATCH": (403, "The organization does not match the token."),
    "URL_NOT_FOUND": (404, "The URL you requested could not be found."),
    "TOO_MANY_REQUESTS": (429, "Too many requests."),
    "INTERNAL_SERVER_ERROR": (500, "An internal server error occurred while performing this operation."),
}
# Path pattern → parameters that the description knows, and the largest `limit`.
ROUTES: dict[str, tuple[set[str], int]] = {
    "/articles": (
        {"permission", "authorId", "limit", "from", "categoryId", "status", "sortBy", "modifiedTimeRange"}, 50),
    r"/articles/(?P<id>\d+)": ({"version"}, 0),
    r"/articles/(?P<id>\d+)/translations/(?P<locale>[a-zA-Z_-]+)": ({"version"}, 0),
    "/tickets": ({"include", "departmentId", "limit", "from", "sortBy", "status", "viewId", "assignee"}, 100),
    r"/tickets/(?P<id>\d+)": ({"include"}, 0),
    r"/tickets/(?P<id>\d+)/threads": ({"limit", "from", "sortBy"}, 200),
    r"/tickets/(?P<id>\d+)/threads/(?P<thread>\d+)": ({"include"}, 0),
    r"/tickets/(?P<id>\d+)/threads/(?P<thread>\d+)/fullContent": (set(), 0),
}  # fmt: skip
LISTED_ARTICLE = ("id", "title", "createdTime", "modifiedTime", "locale", "status", "category", "summary")
LISTED_TICKET = ("id", "ticketNumber", "subject", "status", "statusType", "createdTime", "closedTime", "departmentId")
LISTED_THREAD = ("id", "direction", "visibility", "status", "channel", "createdTime", "summary", "author")
CUT = 200


class FakeZoho:
    """A running server; use as a context manager. `every` maps a fault to how often a request meets it.

    Faults: `500`, `429` (with Retry-After), `drop` (the connection closes), `expire` (the token ends early).
    `stop_after`: from so many requests on all connections drop; `sort`: listings come in this order, whatever is asked.
    """

    def __init__(self, articles: list[Record], tickets: list[Record], every: Mapping[str, int] | None = None) -> None:
        self.articles, self.tickets = articles, tickets
        self.every = dict(every or {})
        self.retry_after = "7"
        self.lives = 3600
        self.requests: list[str] = []
        self.tokens = 0
        self.most_at_once = 0
        self.stop_after: int | None = None
        self.sort: str | None = None
        self._at_once = 0
        self._valid = ""
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"zoho": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeZoho:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, form: Mapping[str, str]) -> Reply:
        """What the accounts server says; refusals come with status 200, as Zoho's do."""
        if form.get("grant_type") != "refresh_token" or form.get("client_id") != CLIENT:
            return 200, {"error": "invalid_client"}
        if form.get("client_secret") != SECRET:
            return 200, {"error": "invalid_client_secret"}
        if form.get("refresh_token") != REFRESH:
            return 200, {"error": "invalid_code"}
        self.tokens += 1
        self._valid = f"1000.access-{self.tokens}"
        return 200, {"access_token": self._valid, "token_type": "Bearer", "expires_in": self.lives}

    def get(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """One GET below /api/v1, whatever faults were asked for aside."""
        if headers.get("Authorization") != f"Zoho-oauthtoken {self._valid}" or not self._valid:
            return error("INVALID_OAUTH")
        if headers.get("orgId") != ORGANISATION:
            return error("OAUTH_ORG_MISMATCH")
        for pattern, (known, largest) in ROUTES.items():
            if match := re.fullmatch(pattern, path):
                if wrong := misuse(query, known, largest):
                    return 422, {"errorCode": "UNPROCESSABLE_ENTITY", "message": wrong}
                return self._answer(pattern, match.groupdict(), query)
        return error("URL_NOT_FOUND")

    def _answer(self, pattern: str, ids: Mapping[str, str], query: Mapping[str, str]) -> Reply:
        query = {**query, "sortBy": self.sort} if self.sort else query
        if pattern == "/articles":
            status = query.get("status")
            chosen = [one for one in self.articles if status in (None, one["status"])]
            return listed(chosen, LISTED_ARTICLE, query, 1)
        if pattern == "/tickets":
            department = query.get("departmentId")
            chosen = [one for one in self.tickets if department in (None, one["departmentId"])]
            return listed(chosen, LISTED_TICKET, query, 0)
        records = self.articles if pattern.startswith("/articles") else self.tickets
        record = next((one for one in records if one["id"] == ids["id"]), None)
        if record is None:
            return error("URL_NOT_FOUND")
        if "locale" in ids:
            return found(record["translations"].get(ids["locale"]))
        if pattern.endswith("/threads"):
            return listed(record["threads"], LISTED_THREAD, query, 0)
        if "thread" in ids:
            thread = next((one for one in record["threads"] if one["id"] == ids["thread"]), None)
            return found(thread and thread_shown(thread, query.get("include"), pattern.endswith("fullContent")))
        hidden = {"threads", "translations"} | (set() if query.get("include") == "contacts" else {"contact"})
        return 200, {key: value for key, value in record.items() if key not in hidden}

    def begin(self, line: str) -> str | None:
        """Note a request; the name of the fault that it meets, if any."""
        with self._lock:
            self.requests.append(line)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            number = len(self.requests)
            if self.stop_after is not None and number > self.stop_after:
                return "drop"
            fault = next((name for name, every in self.every.items() if number % every == 0), None)
            if fault == "expire":
                self._valid = ""
            return fault

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    zoho: FakeZoho
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: two wait 40 ms for each other's acknowledgement.
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v1")
        self._serve(lambda: self.zoho.get(path, dict(parse_qsl(parts.query)), self.headers))  # type: ignore[arg-type]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        known = self.path == "/oauth/v2/token"
        self._serve(lambda: self.zoho.token(dict(parse_qsl(body))) if known else error("URL_NOT_FOUND"))

    def _serve(self, reply: Callable[[], Reply]) -> None:
        fault = self.zoho.begin(f"{self.command} {self.path}")
        try:
            if fault == "drop":
                self.close_connection = True
                return
            self._send(*(error(_FAULTS[fault]) if fault in _FAULTS else reply()), limited=fault == "429")
        finally:
            self.zoho.end()

    def _send(self, status: int, content: Record | None, limited: bool) -> None:
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if limited:
            self.send_header("Retry-After", self.zoho.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


_FAULTS = {"500": "INTERNAL_SERVER_ERROR", "429": "TOO_MANY_REQUESTS"}


def error(code: str) -> Reply:
    """An error as the description shapes it."""
    status, message = ERRORS[code]
    return status, {"errorCode": code, "message": message}


def misuse(query: Mapping[str, str], known: set[str], largest: int) -> str | None:
    """Why a query is refused; None if it is in order."""
    for name in query:
        if name not in known:
            return f"Extra query parameter '{name}' is present in the input."
    if "limit" in query and not 1 <= int(query["limit"]) <= largest:
        return "The value passed for the 'limit' query parameter is invalid."
    return None


def listed(records: list[Record], fields: tuple[str, ...], query: Mapping[str, str], first: int) -> Reply:
    """A page of a listing in the order asked for; 204 if it is empty."""
    order = query.get("sortBy", "-createdTime")
    key = "createdTime" if order.lstrip("-") == "sendDateTime" else order.lstrip("-")
    ordered = sorted(records, key=lambda one: str(one[key]), reverse=order.startswith("-"))
    start = max(0, int(query.get("from", first)) - first)
    page = ordered[start : start + int(query.get("limit", 10))]
    return (200, {"data": [{name: one.get(name) for name in fields} for one in page]}) if page else (204, None)


def found(record: Record | None) -> Reply:
    """A record, or 404."""
    return error("URL_NOT_FOUND") if record is None else (200, record)


def thread_shown(thread: Record, include: str | None, full: bool) -> Record:
    """A thread's detail: long content is cut unless all of it is asked for, plain text comes only on demand."""
    content = thread["content"]
    cut = len(content) > CUT and not full
    shown = {**thread, "content": content[:CUT] if cut else content, "isContentTruncated": cut}
    if include == "plainText":
        shown["plainText"] = re.sub(r"<[^>]+>", " ", shown["content"])
    return shown
