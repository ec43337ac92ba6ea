"""The desk of the tests keeps to what Zoho Desk's description says, and the exporter's assumptions hold on it."""

from __future__ import annotations

import httpx
import pytest

from training.data.helpdesk import fake
from training.data.helpdesk.contract import check
from training.data.helpdesk.errors import OddAnswer
from training.data.helpdesk.settings import HelpdeskSettings
from training.data.helpdesk.transport import Api
from training.data.helpdesk.zoho import ZohoDesk

FORM = {
    "grant_type": "refresh_token",
    "client_id": fake.CLIENT,
    "client_secret": fake.SECRET,
    "refresh_token": fake.REFRESH,
}


def headers(zoho: fake.FakeZoho) -> dict[str, str]:
    token = httpx.post(f"{zoho.url}/oauth/v2/token", data=FORM).json()["access_token"]
    return {"Authorization": f"Zoho-oauthtoken {token}", "orgId": fake.ORGANISATION}


def test_what_the_exporter_takes_for_granted_holds(api: Api, settings: HelpdeskSettings) -> None:
    lines = list(check(api, ZohoDesk(api, settings)))
    assert "tickets: `from` counts records" in lines
    assert "articles: oldest first" in lines
    assert "ticket: the oldest is as documented" in lines


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ("tickets", "createdTime", None),
        ("articles", "title", {"a": 1}),
        ("tickets", "threads", [{"createdTime": "2024-01-01T00:00:00.000Z"}]),
    ],
)
def test_an_answer_with_other_fields_fails_the_check(
    api: Api, settings: HelpdeskSettings, zoho: fake.FakeZoho, record: str, field: str, value: object
) -> None:
    setattr(zoho, record, [{**getattr(zoho, record)[0], field: value}])
    with pytest.raises(OddAnswer, match="not as documented"):
        list(check(api, ZohoDesk(api, settings)))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=100&from=0&sortBy=createdTime", 200),
        ("limit=101", 422),
        ("limit=0", 422),
        ("sortOrder=asc", 422),
        ("limit=10&from=100000", 204),
    ],
)
def test_paging_has_its_documented_bounds(zoho: fake.FakeZoho, query: str, status: int) -> None:
    assert httpx.get(f"{zoho.url}/api/v1/tickets?{query}", headers=headers(zoho)).status_code == status


def test_articles_count_from_one_and_tickets_from_nought(zoho: fake.FakeZoho) -> None:
    known = headers(zoho)
    for path, first in (("articles", 1), ("tickets", 0)):
        pages = [
            httpx.get(f"{zoho.url}/api/v1/{path}?limit=2&sortBy=createdTime&from={start}", headers=known).json()["data"]
            for start in (first, first + 1)
        ]
        assert pages[0][1]["id"] == pages[1][0]["id"]


def test_only_a_valid_token_and_the_right_organisation_get_in(zoho: fake.FakeZoho) -> None:
    url = f"{zoho.url}/api/v1/articles"
    assert httpx.get(url).json()["errorCode"] == "INVALID_OAUTH"
    known = headers(zoho)
    assert httpx.get(url, headers={**known, "orgId": "7"}).status_code == 403
    assert httpx.get(url, headers=known).status_code == 200
    zoho.every = {"expire": 1}
    assert httpx.get(url, headers=known).status_code == 401


def test_refused_tokens_come_with_status_200(zoho: fake.FakeZoho) -> None:
    for name, code in (("client_id", "client"), ("client_secret", "client_secret"), ("refresh_token", "code")):
        answer = httpx.post(f"{zoho.url}/oauth/v2/token", data={**FORM, name: "wrong"})
        assert (answer.status_code, answer.json()) == (200, {"error": f"invalid_{code}"})


def test_faults_come_as_often_as_told(zoho: fake.FakeZoho) -> None:
    known = headers(zoho)
    zoho.requests.clear()
    zoho.every = {"500": 3, "429": 4}
    answers = [httpx.get(f"{zoho.url}/api/v1/articles", headers=known) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 500, 429, 200]
    assert answers[3].headers["Retry-After"] == "7"
