"""Tokens of the widget: what they reach, when they end, what they hide."""

from __future__ import annotations

import httpx
import pytest

from bot.api.settings import ApiSettings
from tests.api.conftest import Serve
from tests.api.test_suggestions import store
from tests.widget.conftest import make_token


async def test_a_token_reaches_suggestions_ratings_and_knowledge_only(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=("otklik", "base", "otklik")))
    token = await make_token(desk, key=desk.admin_key)
    async with desk.client(token) as client:
        sent = {"question": "Где заказ?", "models": ["base"]}
        found = await client.post("/v1/suggestions", json=sent)
        shown = found.json()["suggestions"]
        rated = await client.post("/v1/ratings", json={"request_id": shown[0]["request_id"], "thumb": 1})
        articles = await client.get("/v1/knowledge")
        others = [
            await client.get("/v1/models"),
            await client.get("/v1/adapters"),
            await client.get("/v1/jobs"),
            await client.get("/v1/ratings/summary"),
            await client.get("/v1/ratings/agreement"),
            await client.get(f"/v1/suggestions/{found.json()['id']}"),
            await client.post("/v1/widget/sessions", json={"operator": "Я"}),
            await client.post("/v1/chat/completions", json={"model": "otklik", "messages": []}),
        ]
        entered = await client.post("/dashboard/login", data={"key": token})
    assert [found.status_code, rated.status_code, articles.status_code] == [200, 201, 200]
    # The models are the server's choice, and nothing says which they are.
    assert len(shown) == 3 and all(one["model"] is None for one in shown)
    assert [answer.status_code for answer in others] == [403] * len(others)
    assert entered.status_code == 401


async def test_a_token_ends_with_its_time_and_with_its_key(serve: Serve) -> None:
    desk = await serve(ApiSettings())
    token, other = await make_token(desk), await make_token(desk, minutes=15)
    (name,) = [key async for key in desk.redis.scan_iter("*widget*") if 0 < await desk.redis.ttl(key) <= 900]
    await desk.redis.delete(name)
    async with desk.client(token) as client:
        before = await client.get("/v1/knowledge")
        async with desk.database.unit() as unit:
            await unit.api_keys.revoke(desk.key.split("_")[1])
            await unit.commit()
        after = await client.get("/v1/knowledge")
    async with desk.client(other) as client:
        over = await client.get("/v1/knowledge")
    assert [before.status_code, after.status_code, over.status_code] == [200, 401, 401]


async def test_sessions_need_a_key_that_may_ask_and_rate(serve: Serve) -> None:
    desk = await serve(ApiSettings())
    weak = await desk.make_key("chat")
    async with desk.client(weak) as client:
        refused = await client.post("/v1/widget/sessions", json={"operator": "Мария"})
    async with desk.client() as client:
        nameless = await client.post("/v1/widget/sessions", json={"operator": ""})
        endless = await client.post("/v1/widget/sessions", json={"operator": "М", "minutes": 6000})
    assert refused.status_code == 403 and "rate" in refused.json()["detail"]
    assert nameless.status_code == endless.status_code == 422


async def test_redis_holds_no_token_in_clear(serve: Serve) -> None:
    desk = await serve(ApiSettings())
    token = await make_token(desk)
    names = [str(key) async for key in desk.redis.scan_iter("*widget*")]
    assert len(names) == 1 and token not in names[0] and token not in str(await desk.redis.get(names[0]))


async def test_a_rating_whose_process_died_in_the_middle_is_counted_once(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=("otklik", "base")))
    async with desk.client(await make_token(desk)) as client:
        found = (await client.post("/v1/suggestions", json={"question": "Где?"})).json()
        sent = {"request_id": found["suggestions"][0]["request_id"], "chosen": True, "correction": "Едет"}
        for _ in range(2):
            answer = await client.post("/v1/ratings", json=sent, headers={"Idempotency-Key": "one"})
            assert answer.status_code == 201
            # It had counted, and died before it could keep its answer.
            for key in [key async for key in desk.redis.scan_iter("*once*")]:
                await desk.redis.delete(key)
    assert await store(desk) == 2 and await store(desk) == 0


@pytest.mark.parametrize("origins", [(), ("https://desk.example", "https://crm.example")])
async def test_the_page_is_framed_only_where_it_is_allowed(serve: Serve, origins: tuple[str, ...]) -> None:
    desk = await serve(ApiSettings(origins=origins))
    async with httpx.AsyncClient(base_url=desk.url) as client:
        page = await client.get("/widget/")
        script = await client.get("/widget/otklik.js")
        absent = [await client.get(f"/widget/{name}") for name in ("index.html", "..%2f..%2fapi%2fwidget.py", "x.js")]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert policy.split("frame-ancestors ")[1].split(";")[0] == (" ".join(origins) or "'none'")
    assert script.headers["content-type"].startswith("text/javascript")
    assert [answer.status_code for answer in absent] == [404] * 3
