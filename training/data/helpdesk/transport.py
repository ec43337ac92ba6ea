"""One request at a time to a REST API behind OAuth: access tokens, retries, rate limits.

Knows tokens and status codes as Zoho's accounts server and Desk API document them, no endpoint's fields. Secrets travel
in request bodies and headers only, so neither an address nor an error shows them.
"""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import structlog

from training.data.helpdesk.errors import HelpDeskError, LimitReached, OddAnswer, Unreachable, WrongCredentials
from training.data.helpdesk.settings import PREFIX, HelpdeskSettings

log = structlog.get_logger(__name__)
# Seconds before its end that an access token counts as used up (a tenth of its life if that is less): the next answer
# may take a while.
MARGIN = 60.0
LONGEST_BACKOFF = 60.0
Params = Mapping[str, str | int]


def backoff(attempt: int, chance: float) -> float:
    """Seconds before try `attempt` (1, 2 …): doubling from one, at most a minute, spread by `chance` in 0…1."""
    return min(LONGEST_BACKOFF, 2.0 ** (attempt - 1)) * (0.5 + chance / 2)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date, RFC 9110 10.2.3); None if it says none."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return None


class Api:
    """GET with a fresh token; use as a context manager. `sleep` and `clock` are replaced in tests only."""

    def __init__(
        self,
        settings: HelpdeskSettings,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._sleep, self._clock = sleep, clock
        # No redirects: a token must not follow one to another host.
        self._client = httpx.Client(timeout=settings.timeout_seconds, headers={"Accept": "application/json"})
        self._token, self._ends = "", 0.0

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, params: Params | None = None) -> dict[str, Any] | None:
        """The answer's JSON; None if there is nothing (204), or no such record (404)."""
        renewed = False
        while True:
            answer = self._kept_trying(lambda: self._request(path, params or {}), path)
            if answer.status_code == 401 and not renewed:
                self._token, renewed = "", True
                continue
            if answer.status_code in (204, 404):
                return None
            if answer.status_code != 200:
                raise refusal(answer, path)
            return parsed(answer, path)

    def _request(self, path: str, params: Params) -> httpx.Response:
        self._sleep(self._settings.pause_seconds)
        headers = {"Authorization": f"Zoho-oauthtoken {self._access_token()}", "orgId": self._settings.org_id}
        return self._client.get(f"{self._settings.desk()}/api/v1{path}", params=dict(params), headers=headers)

    def _kept_trying(self, request: Callable[[], httpx.Response], path: str) -> httpx.Response:
        """The first answer that is neither a 5xx nor «too many requests»."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = request()
            except httpx.TransportError as error:
                reason, wait = type(error).__name__, None
            else:
                if answer.status_code == 429:
                    wait = retry_after(answer.headers.get("Retry-After"), self._clock())
                elif answer.status_code < 500:
                    return answer
                else:
                    wait = None
                reason = str(answer.status_code)
            if attempt > self._settings.retries:
                raise Unreachable(f"{path}: no answer after {attempt} tries, last: {reason}; `--resume` goes on later")
            self._rest(backoff(attempt, random.random()) if wait is None else wait, reason, path)

    def _rest(self, seconds: float, reason: str, path: str) -> None:
        allowed = self._settings.longest_wait_seconds
        if seconds > allowed:
            raise LimitReached(
                f"the desk's limit is used up for {seconds:.0f} s, more than {PREFIX}LONGEST_WAIT_SECONDS "
                f"({allowed:.0f}); start again with --resume then"
            )
        log.info("helpdesk.waiting", seconds=round(seconds, 1), reason=reason, path=path)
        self._sleep(seconds)

    def _access_token(self) -> str:
        """A token that holds a while longer, fetched if need be."""
        if self._token and self._clock() < self._ends:
            return self._token
        answer = self._kept_trying(self._ask_for_token, "/oauth/v2/token")
        content = parsed(answer, "/oauth/v2/token") if answer.status_code in (200, 400, 401) else {}
        token = content.get("access_token")
        if not isinstance(token, str) or not token:
            raise no_token(answer.status_code, str(content.get("error", "")))
        self._token = token
        life = float(content.get("expires_in", 3600))
        self._ends = self._clock() + life - min(MARGIN, life / 10)
        log.info("helpdesk.token_renewed")
        return token

    def _ask_for_token(self) -> httpx.Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "refresh_token": self._settings.refresh_token.get_secret_value(),
        }
        return self._client.post(f"{self._settings.accounts()}/oauth/v2/token", data=form)


def parsed(answer: httpx.Response, path: str) -> dict[str, Any]:
    """The JSON object of an answer; OddAnswer if it is none."""
    try:
        content = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise OddAnswer(f"{path}: expected a JSON object with status {answer.status_code}; is the address right?")
    return content


def no_token(status: int, code: str) -> HelpDeskError:
    """Why the accounts server gave no token, by the error codes that Zoho documents. Answers with status 200 too."""
    advice = {
        "invalid_client": f"{PREFIX}CLIENT_ID is not known there: is {PREFIX}REGION the desk's data centre?",
        "invalid_client_secret": f"{PREFIX}CLIENT_SECRET is wrong",
        "invalid_code": f"{PREFIX}REFRESH_TOKEN is wrong or was revoked: make a new one in the API console",
        "access_denied": "too many tokens were asked for; wait ten minutes",
    }
    known = code.lower().replace(" ", "_")
    if known in advice:
        return WrongCredentials(f"Zoho gives no access token ({known}): {advice[known]}")
    # An unknown code is foreign text: only its letters are shown.
    shown = "".join(c for c in known if c.isalpha() or c == "_")[:40] or "no reason given"
    return WrongCredentials(f"Zoho gives no access token (status {status}, {shown}): check {PREFIX}* settings")


def refusal(answer: httpx.Response, path: str) -> HelpDeskError:
    """A 4xx answer as an error, by its `errorCode`."""
    try:
        code = str(answer.json().get("errorCode", ""))[:40]
    except (ValueError, AttributeError):
        code = ""
    said = f"{path}: Zoho Desk answers {answer.status_code} {code}".rstrip()
    if answer.status_code == 401:
        return WrongCredentials(f"{said}: the access token is refused even when fresh; check {PREFIX}ORG_ID and REGION")
    if answer.status_code == 403:
        return WrongCredentials(f"{said}: the refresh token needs the scopes Desk.articles.READ and Desk.tickets.READ")
    return OddAnswer(said)
