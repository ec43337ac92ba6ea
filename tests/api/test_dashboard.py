"""The dashboard over loopback: who may look, what forms may do, what a page never holds."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from bot.api.settings import ApiSettings
from bot.dashboard.charts import shares
from bot.settings import BotSettings
from storage.contracts import now
from tests.api.conftest import Desk, Serve
from tests.api.test_loop import register

TOKEN = "700700:secret"
BOSS = 4711
PAGES = ("", "ratings", "adapters", "jobs", "people", "audit")


def signed(user: int, token: str = TOKEN, age: float = 0.0) -> str:
    """Telegram's init data, signed as its documentation says."""
    told = {
        "auth_date": str(int(now().timestamp() - age)),
        "query_id": "q",
        "user": json.dumps({"id": user, "first_name": "А"}),
    }
    text = "\n".join(f"{name}={value}" for name, value in sorted(told.items()))
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return urlencode({**told, "hash": hmac.new(key, text.encode(), hashlib.sha256).hexdigest()})


def visitor(desk: Desk) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=desk.url, timeout=30)


async def enter(client: httpx.AsyncClient, key: str) -> str:
    """Sign in; the token that forms carry."""
    answer = await client.post("/dashboard/login", data={"key": key})
    assert answer.status_code == 303, answer.text
    page = (await client.get("/dashboard/")).text
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


async def test_nobody_unknown_sees_a_page(desk: Desk) -> None:
    async with visitor(desk) as client:
        for page in PAGES:
            answer = await client.get(f"/dashboard/{page}")
            assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")
        ordinary = await client.post("/dashboard/login", data={"key": desk.key})
        wrong = await client.post("/dashboard/login", data={"key": "otk_nonsense"})
        client.cookies.set("otklik", "a" * 43, path="/dashboard")
        guessed = await client.get("/dashboard/")
    assert ordinary.status_code == wrong.status_code == 401
    assert guessed.status_code == 303


async def test_ten_wrong_keys_and_even_a_right_one_waits(desk: Desk) -> None:
    async with visitor(desk) as client:
        for _ in range(10):
            await client.post("/dashboard/login", data={"key": "otk_wrong"})
        answer = await client.post("/dashboard/login", data={"key": desk.admin_key})
    assert answer.status_code == 401 and "подождите" in answer.text


async def test_every_page_opens_with_headers_that_keep_others_out(desk: Desk) -> None:
    async with visitor(desk) as client:
        await enter(client, desk.admin_key)
        for page in PAGES:
            answer = await client.get(f"/dashboard/{page}")
            assert answer.status_code == 200, page
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-store"
        cookie = (await client.post("/dashboard/login", data={"key": desk.admin_key})).headers["set-cookie"].lower()
        missing = await client.get("/dashboard/adapters/nothing")
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/dashboard" in cookie
    assert missing.status_code == 404 and "Такой версии нет" in missing.text


async def test_over_https_the_cookie_is_secure(desk: Desk) -> None:
    async with visitor(desk) as client:
        head = {"X-Forwarded-Proto": "https"}
        cookie = (await client.post("/dashboard/login", data={"key": desk.admin_key}, headers=head)).headers[
            "set-cookie"
        ]
    assert "secure" in cookie.lower() and "partitioned" in cookie.lower()


async def test_a_revoked_key_is_out_at_once(desk: Desk) -> None:
    async with visitor(desk) as client:
        await enter(client, desk.admin_key)
        async with desk.database.unit() as unit:
            await unit.api_keys.revoke(desk.admin_key.split("_")[1])
            await unit.commit()
        assert (await client.get("/dashboard/")).status_code == 303


async def test_operators_come_in_from_telegram(serve: Serve) -> None:
    desk = await serve(ApiSettings(), BotSettings(token=TOKEN, admins=(BOSS,)))
    refused = {
        "stranger": signed(BOSS + 1),
        "other bot": signed(BOSS, "1:other"),
        "old": signed(BOSS, age=3600),
        "nothing": "",
        "broken": signed(BOSS)[:-1] + "x",
    }
    async with visitor(desk) as client:
        for name, words in refused.items():
            answer = await client.post("/dashboard/telegram", data={"init_data": words})
            assert answer.status_code in (401, 422), name
        answer = await client.post("/dashboard/telegram", data={"init_data": signed(BOSS)})
        assert answer.status_code == 303
        assert (await client.get("/dashboard/people")).status_code == 200


async def test_a_signature_of_telegram_opens_one_session(serve: Serve) -> None:
    desk = await serve(ApiSettings(), BotSettings(token=TOKEN, admins=(BOSS,)))
    words = signed(BOSS)
    shuffled = "&".join(reversed(words.split("&")))
    async with visitor(desk) as client, visitor(desk) as thief:
        first = await client.post("/dashboard/telegram", data={"init_data": words})
        again = [await thief.post("/dashboard/telegram", data={"init_data": one}) for one in (words, shuffled)]
        assert (await client.get("/dashboard/")).status_code == 200
    assert first.status_code == 303 and [answer.status_code for answer in again] == [401, 401]


async def test_whoever_reads_redis_becomes_nobody(desk: Desk) -> None:
    async with visitor(desk) as client, visitor(desk) as thief:
        await enter(client, desk.admin_key)
        names = [str(name).rsplit(":", 1)[-1] for name in await desk.redis.keys("*session*")]
        cookie = client.cookies["otklik"]
        # Counters of attempts lie beside the sessions and must not be taken for one.
        await thief.post("/dashboard/login", data={"key": "wrong"})
        for name in [*names, "attempts-127.0.0.1", "attempts-127.0.0.1-and-more"]:
            thief.cookies.set("otklik", name, path="/dashboard")
            assert (await thief.get("/dashboard/")).status_code == 303
    assert names and cookie not in names


async def test_pages_of_other_sites_cannot_sign_anybody_in(desk: Desk) -> None:
    async with visitor(desk) as client:
        for site in ("cross-site", "same-site"):
            head = {"Sec-Fetch-Site": site}
            answer = await client.post("/dashboard/login", data={"key": desk.admin_key}, headers=head)
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
        own = await client.post(
            "/dashboard/login", data={"key": desk.admin_key}, headers={"Sec-Fetch-Site": "same-origin"}
        )
    assert own.status_code == 303


async def test_addresses_that_are_none_and_the_shortest_one(desk: Desk) -> None:
    async with visitor(desk) as client:
        missing = await client.get("/dashboard/nothing")
        root = await client.get("/")
    assert missing.status_code == 404 and "Такой страницы нет" in missing.text
    assert "default-src 'none'" in missing.headers["content-security-policy"]
    assert (root.status_code, root.headers["location"]) == (307, "/dashboard/")


async def test_a_deed_needs_the_own_form_and_a_confirmation(desk: Desk, tmp_path: Path) -> None:
    name = await register(desk, tmp_path, 1)
    async with visitor(desk) as client:
        csrf = await enter(client, desk.admin_key)
        sent = {"csrf": csrf, "deed": "promote", "slot": "shared"}
        forged = await client.post(f"/dashboard/adapters/{name}", data={**sent, "csrf": "x", "sure": "yes"})
        asked = await client.post(f"/dashboard/adapters/{name}", data=sent)
        async with desk.database.view() as unit:
            assert await unit.slots.get("shared") is None
        done = await client.post(f"/dashboard/adapters/{name}", data={**sent, "sure": "yes"})
        late = await client.post(f"/dashboard/adapters/{name}", data={**sent, "sure": "yes", "revision": 0})
        page = (await client.get(f"/dashboard/adapters/{name}")).text
        log = (await client.get("/dashboard/audit")).text
    assert forged.status_code == 403
    assert asked.status_code == 200 and "Точно?" in asked.text
    assert done.status_code == 303 and late.status_code == 409
    assert "отвечает" in page
    assert "пустил в бой" in log and f"ключ {desk.admin_key.split('_')[1]}, тест" in log and "слот общий" in log
    async with desk.database.view() as unit:
        slot = await unit.slots.get("shared")
    assert slot is not None and slot.active == name


async def test_pages_hold_numbers_and_never_words_of_people(desk: Desk) -> None:
    key = await desk.make_key("chat", "rate", learn=True)
    secret = "тайна<script>alert(1)</script>"
    async with desk.client(key) as program:
        sent = {"question": f"Моя {secret}", "models": ["otklik", "base"], "emotion": "joy", "client": secret}
        found = (await program.post("/v1/suggestions", json=sent)).json()
        rating = {"request_id": found["suggestions"][0]["request_id"], "correction": secret, "operator": secret}
        assert (await program.post("/v1/ratings", json=rating)).status_code == 201
    async with visitor(desk) as client:
        await enter(client, desk.admin_key)
        for page in PAGES:
            text = (await client.get(f"/dashboard/{page}")).text
            assert "тайна" not in text and "<script>alert" not in text


async def test_keys_are_no_people_and_those_behind_them_are_counted_apart(desk: Desk) -> None:
    key = await desk.make_key("chat", "rate", learn=True)
    async with desk.database.unit() as unit:
        await unit.people.consent(77, True)
        await unit.people.consent(78, False)
        await unit.commit()
    async with desk.client(key) as program, desk.client() as other:
        for client, name in ((program, "Иван"), (program, "Анна"), (other, "Пётр")):
            await client.post("/v1/suggestions", json={"question": "Где?", "models": ["base"], "client": name})
    async with visitor(desk) as client:
        await enter(client, desk.admin_key)
        page = re.sub(r"<[^>]+>", "", (await client.get("/dashboard/people")).text)
        now_ = re.sub(r"<[^>]+>", "", (await client.get("/dashboard/")).text)
        marks = (await client.get("/dashboard/ratings")).text
    assert "1 человек согласился" in page and "1 отказался" in page and "0 не ответили" in page
    assert "ещё 3 человека; учимся на 2" in page
    assert "1 работник на связи" in now_ and "3 ответа за час" in now_ and "0 запросов API" in now_
    assert "никто ничего не оценил" in marks


async def test_a_stored_answer_took_as_long_as_it_took(desk: Desk) -> None:
    async with desk.client() as client:
        sent = {"model": "otklik", "store": True, "messages": [{"role": "user", "content": "Как дела?"}]}
        made = (await client.post("/v1/chat/completions", json=sent)).json()
    async with desk.database.view() as unit:
        row = await unit.replies.get(made["choices"][0]["otklik"]["request_id"])
    assert row is not None and row.answered_at is not None and row.answered_at > row.created_at


async def test_a_refit_is_ordered_once_and_cancelled(desk: Desk) -> None:
    async with visitor(desk) as client:
        csrf = await enter(client, desk.admin_key)
        first = await client.post("/dashboard/jobs", data={"csrf": csrf, "method": "kto", "slot": "shared"})
        again = await client.post("/dashboard/jobs", data={"csrf": csrf, "method": "dpo", "slot": "shared"})
        wrong = await client.post("/dashboard/jobs", data={"csrf": csrf, "method": "gan", "slot": "shared"})
        place = first.headers["location"]
        page = await client.get(place)
        stopped = await client.post(f"{place}/cancel", data={"csrf": csrf})
        after = await client.get(place)
        twice = await client.post(f"{place}/cancel", data={"csrf": csrf})
    assert first.headers["location"] == again.headers["location"] and wrong.status_code == 422
    assert page.status_code == 200 and "Отменить" in page.text
    assert stopped.status_code == 303 and 'data-state="cancelled"' in after.text
    assert twice.status_code == 409


@pytest.mark.parametrize("count", [1, 14])
def test_a_chart_stays_within_its_frame_and_skips_empty_days(count: int) -> None:
    days = [f"2026-11-{day:02}" for day in range(1, count + 1)]
    chart = shares(days, {"радость": {days[0]: (3, 1.0), days[-1]: (2, 0.0)}, "грусть": {}})
    assert chart is not None and [line.name for line in chart.series] == ["радость"]
    for x, y, _ in chart.series[0].dots:
        assert 0 <= x <= chart.width and 0 <= y <= chart.height
    assert shares(days, {}) is None
