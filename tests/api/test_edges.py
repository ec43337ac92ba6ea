"""What strangers send: bodies too large or broken, words no database keeps; and what is told of faults and limits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from bot.api.brain import Brain
from tests.api.conftest import Desk

HELLO: Any = [{"role": "user", "content": "Меня сегодня повысили"}]


def said(text: str) -> bytes:
    """A request as clients write it that escape what they cannot encode."""
    return json.dumps({"model": "otklik", "messages": [{"role": "user", "content": text}]}).encode()


async def pieces(whole: bytes) -> AsyncIterator[bytes]:
    """A body without a length."""
    for start in range(0, len(whole), 10_000):
        yield whole[start : start + 10_000]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_as_a_problem(desk: Desk, chunked: bool) -> None:
    large = said("а" * 300_000)
    async with desk.client() as client:
        sent: Any = pieces(large) if chunked else large
        answer = await client.post("/v1/chat/completions", content=sent, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        (b'{"model": ', 422, "not_json", "from its character 10"),
        (b"[" * 100_000, 400, "bad_request", "JSON"),
        ('{"model": "я"}'.encode("cp1251"), 400, "bad_request", "UTF-8"),
        (said("при\ud800вет"), 422, "invalid_request", "surrogate"),
        (said("при\0вет"), 422, "invalid_request", "zero"),
    ],
)
async def test_what_cannot_be_read_is_told_as_that(desk: Desk, body: bytes, status: int, code: str, told: str) -> None:
    async with desk.client() as client:
        head = {"Content-Type": "application/json"}
        answer = await client.post("/v1/chat/completions", content=body, headers=head)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["error"]["code"]) == (status, code, code)
    assert told in problem["detail"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("\ud800", "messages.0.content"),
        (None, "messages.0.content"),
        ([{"type": "image_url", "image_url": {"url": "https://x.example/"}}], "messages.0.content.0.type"),
    ],
)
async def test_a_wrong_field_is_named_as_the_client_knows_it(desk: Desk, content: Any, field: str) -> None:
    sent = json.dumps({"model": "otklik", "messages": [{"role": "user", "content": content}]})
    async with desk.client() as client:
        head = {"Content-Type": "application/json"}
        answer = await client.post("/v1/chat/completions", content=sent, headers=head)
    problem = answer.json()
    assert answer.status_code == 422 and problem["error"]["param"] == field
    assert "[" not in problem["detail"]


async def test_a_long_dialogue_goes_on(desk: Desk) -> None:
    many = [{"role": role, "content": f"слово {n}"} for n in range(100) for role in ("assistant", "user")]
    async with desk.client() as client:
        answer = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": many})
    assert answer.status_code == 200 and "слово 99" in answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(("path", "status"), [("/v1/embeddings", 404), ("/v1/chat/completions", 405)])
async def test_a_wrong_address_says_where_the_right_ones_are(desk: Desk, path: str, status: int) -> None:
    async with desk.client() as client:
        answer = await client.get(path)
    assert answer.status_code == status and "/docs" in answer.json()["error"]["message"]


async def test_every_answer_tells_what_is_left_of_the_limit(desk: Desk) -> None:
    key = await desk.make_key("chat", rate=5)
    async with desk.client(key) as client:
        good = await client.get("/v1/models")
        wrong = await client.post("/v1/chat/completions", json={"model": "no", "messages": HELLO})
        forbidden = await client.get("/v1/jobs")
        stream = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO, "stream": True})
    answers = [good, wrong, forbidden, stream]
    assert [answer.status_code for answer in answers] == [200, 404, 403, 200]
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=4", "r=3", "r=2", "r=1"]
    assert all(answer.headers["ratelimit-policy"] == '"minute";q=5;w=60' for answer in answers)
    assert all(answer.headers["x-content-type-options"] == "nosniff" for answer in answers)


async def test_a_fault_of_ours_tells_nobody_what_people_wrote(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_self: Brain, turns: Any) -> Any:
        raise ValueError(f"cannot read {turns}")

    monkeypatch.setattr(Brain, "checked", breaks)
    with capture_logs() as logged:
        async with desk.client() as client:
            answer = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO})
    assert answer.status_code == 500 and answer.json()["code"] == "internal"
    assert "повысили" not in answer.text + repr(logged)
    found = next(one for one in logged if one["event"] == "request failed")
    assert found["error"] == "ValueError" and found["where"].startswith("test_edges.py:")


async def test_an_admin_key_sees_what_it_decides_about(desk: Desk) -> None:
    key = await desk.make_key("admin")
    async with desk.client(key) as client:
        seen = [await client.get(f"/v1/{name}") for name in ("models", "adapters", "slots", "ratings/summary")]
        spoken = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO})
    assert {answer.status_code for answer in seen} == {200}
    assert spoken.status_code == 403


async def test_stars_that_say_nothing_are_no_rating(desk: Desk) -> None:
    async with desk.client() as client:
        empty = await client.post("/v1/ratings", json={"request_id": "x", "stars": {}})
    assert empty.status_code == 422 and "say something" in empty.json()["detail"]


async def test_no_address_opens_without_a_key_and_deeds_only_to_admins(desk: Desk) -> None:
    admins_only = ("/v1/jobs", "/v1/slots/{slot}/", "/v1/suggestions/{turn_id}")
    async with desk.client() as ordinary, httpx.AsyncClient(base_url=desk.url, timeout=30) as nobody:
        whole = (await nobody.get("/openapi.json")).json()
        told: dict[str, tuple[int, int]] = {}
        for path, methods in whole["paths"].items():
            place = path.replace("{slot}", "shared").replace("{turn_id}", "1")
            for method in methods:
                sent: Any = {} if method == "post" else None
                answers = [await client.request(method, place, json=sent) for client in (nobody, ordinary)]
                told[f"{method} {path}"] = (answers[0].status_code, answers[1].status_code)
    health = {name: one for name, one in told.items() if name in ("get /healthz", "get /readyz")}
    keyed = {name: one for name, one in told.items() if name not in health}
    assert {status for status, _ in health.values()} == {200}
    assert len(keyed) > 20 and {status for status, _ in keyed.values()} == {401}
    refused = {name for name, (_, status) in keyed.items() if status == 403}
    assert refused == {name for name in keyed if name.split(" ")[1].startswith(admins_only)}
