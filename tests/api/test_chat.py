"""Chat completions through the official client, over loopback: answers, streams, refusals, repeats."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import openai
import pytest

from bot import texts
from bot.api.settings import ApiSettings
from tests.api.conftest import Desk, Serve

HELLO: Any = [{"role": "user", "content": "Меня сегодня повысили"}]


def official(desk: Desk, key: str | None = None, retries: int = 0) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{desk.url}/v1", api_key=key or desk.key, max_retries=retries)


def told(choice: Any) -> dict[str, Any]:
    """What is ours in a choice."""
    found: dict[str, Any] = choice.model_extra["otklik"]
    return found


async def test_the_official_client_gets_an_answer_in_the_emotion(desk: Desk) -> None:
    async with official(desk) as client:
        made = await client.chat.completions.create(
            model="otklik", messages=HELLO, extra_body={"emotion": "грусть", "intensity": 3}
        )
    assert made.choices[0].message.content
    assert made.choices[0].finish_reason == "stop"
    ours = told(made.choices[0])
    assert (ours["emotion"], ours["intensity"], ours["fit_ok"]) == ("sadness", 3, True)
    assert made.usage is not None and made.usage.completion_tokens > 0
    assert await desk.conversation.replies.outstanding() == 0  # Telegram's bots never see it


async def test_a_stream_gives_the_same_text_in_pieces(desk: Desk) -> None:
    async with official(desk) as client:
        whole = await client.chat.completions.create(
            model="otklik", messages=HELLO, seed=5, extra_body={"emotion": "joy"}
        )
        stream = await client.chat.completions.create(
            model="otklik",
            messages=HELLO,
            seed=5,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"emotion": "joy"},
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    ended = [chunk.choices[0] for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert len(ended) == 1 and told(ended[0])["emotion"] == "joy"
    assert chunks[-1].usage is not None and chunks[-1].choices == []


async def test_several_answers_at_once_and_stop_words(desk: Desk) -> None:
    async with official(desk) as client:
        made = await client.chat.completions.create(model="base", messages=HELLO, n=3, extra_body={"emotion": "joy"})
        text = made.choices[0].message.content or ""
        word = text.split()[1]
        cut = await client.chat.completions.create(
            model="base", messages=HELLO, stop=[word], seed=1, extra_body={"emotion": "joy"}
        )
    assert [choice.index for choice in made.choices] == [0, 1, 2]
    assert word not in (cut.choices[0].message.content or "")


@pytest.mark.parametrize("bound", [{"max_tokens": 3}, {"max_completion_tokens": 3}, {"max_tokens": 9, "n": 1}])
async def test_an_answer_is_cut_where_the_client_wants_it_cut(desk: Desk, bound: Any) -> None:
    long: Any = [{"role": "user", "content": " ".join(f"слово{number}" for number in range(40))}]
    async with official(desk) as client:
        made = await client.chat.completions.create(model="otklik", messages=long, **bound)
        whole = await client.chat.completions.create(model="otklik", messages=HELLO, max_tokens=4096)
    tokens = bound.get("max_tokens") or bound["max_completion_tokens"]
    assert made.choices[0].finish_reason == "length" and whole.choices[0].finish_reason == "stop"
    assert made.usage is not None and 0 < made.usage.completion_tokens <= tokens
    assert 0 < len((made.choices[0].message.content or "").split()) <= tokens


async def test_models_list_what_can_be_asked_for(desk: Desk) -> None:
    async with official(desk) as client:
        assert {model.id async for model in await client.models.list()} == {"otklik", "base"}
        assert (await client.models.retrieve("otklik")).id == "otklik"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-4")
        with pytest.raises(openai.NotFoundError, match="no such model"):
            await client.chat.completions.create(model="gpt-4", messages=HELLO)


async def test_keys_that_open_nothing(desk: Desk) -> None:
    only_rate = await desk.make_key("rate")
    revoked = await desk.make_key("chat")
    async with desk.database.unit() as unit:
        assert await unit.api_keys.revoke(revoked.split("_")[1])
        await unit.commit()
    wrong = desk.key[:-1] + ("A" if desk.key[-1] != "A" else "B")
    for key in (wrong, revoked, "sk-anything", "otk_000000000000_" + "a" * 43):
        async with official(desk, key) as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(model="otklik", messages=HELLO)
    async with official(desk, only_rate) as client:
        with pytest.raises(openai.PermissionDeniedError, match="scope"):
            await client.chat.completions.create(model="otklik", messages=HELLO)
    async with httpx.AsyncClient(base_url=desk.url) as client:
        bare = await client.get("/v1/models")
    assert bare.status_code == 401 and bare.headers["www-authenticate"] == "Bearer"


async def test_secrets_are_not_stored(desk: Desk) -> None:
    secret = desk.key.split("_", 2)[2]
    async with desk.database.view() as unit:
        rows = await unit.api_keys.all()
    assert all(secret not in json.dumps([row.digest, row.name, row.key_id]) for row in rows)


async def test_too_many_calls_are_told_when_to_come_again(desk: Desk) -> None:
    key = await desk.make_key("chat", rate=2)
    async with desk.client(key) as client:
        answers = [await client.get("/v1/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert answers[2].headers["content-type"].startswith("application/problem+json")
    assert "q=2" in answers[0].headers["ratelimit-policy"]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"emotion": "скука"}, "unknown_emotion", "emotion"),
        ({"messages": [{"role": "assistant", "content": "я"}]}, "no_question", "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "no_question", "messages"),
        ({"messages": []}, "invalid_request", "messages"),
        ({"intensity": 9}, "invalid_request", "intensity"),
        ({"messages": [{"role": "user", "content": "а" * 9000}]}, "message_too_long", "messages"),
    ],
)
async def test_wrong_requests_are_told_what_is_wrong(
    desk: Desk, change: dict[str, object], code: str, field: str
) -> None:
    async with desk.client() as client:
        answer = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO} | change)
    problem = answer.json()
    assert answer.status_code == 422
    assert (problem["code"], problem["error"]["param"], problem["status"]) == (code, field, 422)
    assert "а" * 100 not in answer.text


async def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await client.post("/v1/chat/completions", content=b"{" + b" " * 300_000 + b"}")
    assert answer.status_code == 413


async def test_somebody_in_danger_gets_help_and_no_model_is_asked(desk: Desk) -> None:
    danger: Any = [{"role": "user", "content": "я хочу покончить с собой"}]
    async with official(desk) as client:
        made = await client.chat.completions.create(model="otklik", messages=danger)
        stream = await client.chat.completions.create(model="otklik", messages=danger, stream=True)
        streamed = "".join([part.choices[0].delta.content or "" async for part in stream])
    assert made.choices[0].message.content == streamed == texts.CRISIS
    assert told(made.choices[0])["crisis"] is True


async def test_a_repeated_post_has_one_effect(desk: Desk) -> None:
    sent = {"model": "otklik", "messages": HELLO, "emotion": "joy"}
    head = {"Idempotency-Key": "заказ-1".encode().hex()}
    async with desk.client() as client:
        first = await client.post("/v1/chat/completions", json=sent, headers=head)
        again = await client.post("/v1/chat/completions", json=sent, headers=head)
        other = await client.post("/v1/chat/completions", json=sent | {"emotion": "anger"}, headers=head)
        stranger_key = await desk.make_key("chat")
        async with desk.client(stranger_key) as stranger:
            theirs = await stranger.post("/v1/chat/completions", json=sent, headers=head)
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422 and other.json()["code"] == "idempotency_key_reused"
    assert theirs.json()["id"] != first.json()["id"]


async def test_without_a_worker_a_request_ends_in_time_and_is_taken_back(serve: Serve) -> None:
    desk = await serve(ApiSettings(deadline_seconds=0.3))
    async with desk.client() as client:
        head = {"Idempotency-Key": "a"}
        answer = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO}, headers=head)
        ready = await client.get("/readyz")
        again = await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO}, headers=head)
    assert answer.status_code == again.status_code == 504 and answer.json()["code"] == "no_answer"
    assert ready.status_code == 503 and ready.json()["waits_for"] == ["worker"]


async def test_a_stream_that_fails_tells_it_in_the_stream(serve: Serve) -> None:
    desk = await serve(ApiSettings(deadline_seconds=0.3))
    async with official(desk) as client:
        stream = await client.chat.completions.create(model="otklik", messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match="no worker answered"):
            async for _ in stream:
                pass


async def test_a_client_that_goes_away_takes_its_request_back(serve: Serve) -> None:
    desk = await serve(ApiSettings())
    async with desk.client() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO}, timeout=0.3)
    await desk.conversation.ensure()
    found, _ = await desk.conversation.requests.claim("w", block=1)
    for _ in range(100):
        if await desk.conversation.cancelled([found[0].message.request_id]):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("the request of a client that left was not taken back")


async def test_only_named_origins_may_call_from_a_page(serve: Serve) -> None:
    desk = await serve(ApiSettings(origins=("https://desk.example",)))
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with desk.client() as client:
        ours = await client.options("/v1/models", headers={"Origin": "https://desk.example", **ask})
        other = await client.options("/v1/models", headers={"Origin": "https://evil.example", **ask})
    assert ours.headers["access-control-allow-origin"] == "https://desk.example"
    assert "access-control-allow-origin" not in other.headers


async def test_health_and_metrics_say_nothing_of_anybody(desk: Desk) -> None:
    async with httpx.AsyncClient(base_url=desk.url) as client:
        assert (await client.get("/healthz")).json()["ok"] is True
        async with desk.client() as known:
            await known.post("/v1/chat/completions", json={"model": "otklik", "messages": HELLO})
        page = (await client.get("/metrics")).text
        assert (await client.get("/docs")).status_code == 200
    assert 'route="/v1/chat/completions",status="200"' in page
    assert "повысили" not in page
