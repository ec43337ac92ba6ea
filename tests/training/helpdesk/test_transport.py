"""Tokens, retries and limits, against the running desk."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from training.data.helpdesk import fake
from training.data.helpdesk.errors import LimitReached, OddAnswer, Unreachable, WrongCredentials
from training.data.helpdesk.settings import HelpdeskSettings
from training.data.helpdesk.transport import Api, backoff, no_token, retry_after

from .conftest import Export
from .test_export import files


def test_a_stormy_desk_gives_the_same_files(
    run: Export, zoho: fake.FakeZoho, slept: list[float], tmp_path: Path
) -> None:
    run(tmp_path / "calm")
    zoho.every = {"500": 17, "429": 13, "drop": 31, "expire": 29}
    run(tmp_path / "storm")
    assert files(tmp_path / "storm") == files(tmp_path / "calm")
    assert zoho.tokens > 5
    assert slept.count(7.0) > 5, "what Retry-After asks for is waited"


def test_one_token_serves_until_it_ends(api: Api, zoho: fake.FakeZoho) -> None:
    for _ in range(5):
        api.get("/articles", {"limit": 1})
    assert zoho.tokens == 1


def test_a_token_is_renewed_before_it_ends(settings: HelpdeskSettings, zoho: fake.FakeZoho) -> None:
    now = [1000.0]
    with Api(settings, sleep=lambda _: None, clock=lambda: now[0]) as api:
        for passed in (0, 3500, 60, 1):
            now[0] += passed
            api.get("/articles", {"limit": 1})
    assert zoho.tokens == 2
    assert not [line for line in zoho.requests if "401" in line]


def test_a_token_that_ends_early_is_renewed_once(api: Api, zoho: fake.FakeZoho) -> None:
    zoho.every = {"expire": 3}
    assert api.get("/articles", {"limit": 1}) is not None
    assert api.get("/articles", {"limit": 1}) is not None
    assert zoho.tokens == 2


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"client_id": "1000.OTHER"}, r"invalid_client\): TRAINING_ZOHO_CLIENT_ID .* TRAINING_ZOHO_REGION"),
        ({"client_secret": "wrong-secret-xyz"}, "TRAINING_ZOHO_CLIENT_SECRET is wrong"),
        ({"refresh_token": "wrong-refresh-xyz"}, "TRAINING_ZOHO_REFRESH_TOKEN is wrong or was revoked"),
    ],
)
def test_wrong_credentials_say_which_setting_to_mend(
    environment: dict[str, str], change: dict[str, str], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(f"TRAINING_ZOHO_{name.upper()}", value)
    with Api(HelpdeskSettings(), sleep=lambda _: None) as api, pytest.raises(WrongCredentials, match=advice) as caught:
        api.get("/articles")
    assert "xyz" not in str(caught.value)


def test_another_organisation_is_refused_with_advice(settings: HelpdeskSettings) -> None:
    other = settings.model_copy(update={"org_id": "1"})
    with Api(other, sleep=lambda _: None) as api, pytest.raises(WrongCredentials, match="403 OAUTH_ORG_MISMATCH"):
        api.get("/articles")


def test_a_limit_of_hours_ends_the_export(api: Api, zoho: fake.FakeZoho, slept: list[float]) -> None:
    zoho.every, zoho.retry_after = {"429": 2}, "7200"
    with pytest.raises(LimitReached, match="7200 s"):
        api.get("/articles")
    assert 7200.0 not in slept


def test_after_all_retries_it_gives_up(settings: HelpdeskSettings, zoho: fake.FakeZoho, slept: list[float]) -> None:
    zoho.every = {"500": 1}
    impatient = settings.model_copy(update={"retries": 3})
    with (
        Api(impatient, sleep=slept.append) as api,
        pytest.raises(Unreachable, match="no answer after 4 tries, last: 500"),
    ):
        api.get("/articles")
    assert len([seconds for seconds in slept if seconds]) == 3


def test_a_server_that_is_not_there_is_named_unreachable(settings: HelpdeskSettings) -> None:
    nowhere = settings.model_copy(update={"accounts_url": "http://127.0.0.1:9", "retries": 1})
    with Api(nowhere, sleep=lambda _: None) as api, pytest.raises(Unreachable, match="ConnectError"):
        api.get("/articles")


def test_what_is_gone_or_empty_is_nothing(api: Api, zoho: fake.FakeZoho) -> None:
    assert api.get("/tickets/1") is None
    assert api.get("/tickets", {"from": 5000, "limit": 10}) is None


def test_a_refused_parameter_is_an_odd_answer(api: Api) -> None:
    with pytest.raises(OddAnswer, match="422 UNPROCESSABLE_ENTITY"):
        api.get("/tickets", {"sortOrder": "asc"})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=1795255200.0) == seconds
    assert time.gmtime(1795255200.0)[:5] == (2026, 11, 21, 10, 0)


def test_rests_double_up_to_a_minute() -> None:
    assert [backoff(attempt, 1.0) for attempt in (1, 2, 3, 7, 20)] == [1, 2, 4, 60, 60]
    assert backoff(3, 0.0) == 2


def test_an_unknown_refusal_shows_no_foreign_text() -> None:
    assert "4111" not in str(no_token(400, "card 4111 refused <script>"))
