"""Forgetting somebody behind a program: their words, what was said of them, and what learned from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from storage.ratings import RatingBook
from storage.ratings_sink import drain_once
from tests.api.conftest import Desk
from tests.api.test_loop import register
from tests.api.test_suggestions import store, suggest


async def judge(client: httpx.AsyncClient, found: dict[str, Any], **said: object) -> None:
    sent = {"request_id": found["suggestions"][0]["request_id"], **said}
    assert (await client.post("/v1/ratings", json=sent)).status_code == 201


async def forget(client: httpx.AsyncClient, /, **who: object) -> dict[str, Any]:
    answer = await client.post("/v1/people/forget", json=who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_client_is_forgotten_with_all_that_was_said_of_their_answers(desk: Desk, tmp_path: Path) -> None:
    key = await desk.make_key("chat", "rate", learn=True)
    adapter = await register(desk, tmp_path, 1)
    async with desk.client(key) as client:
        theirs = await suggest(client, client="Иван Петров")
        others = await suggest(client, client="Анна")
        for found, words in ((theirs, "едет к Ивану"), (others, "едет к Анне")):
            await judge(client, found, operator="Мария", correction=words, chosen=True)
        await store(desk)
        async with desk.database.unit() as unit:
            row = await unit.replies.get(theirs["suggestions"][0]["request_id"])
            assert row is not None
            ivan = row.request["user_id"] if row.request else 0
            learned = await unit.adapters.get(adapter)
            assert learned is not None
            await unit.adapters.add(learned, [ivan])
            await unit.commit()
        gone = await forget(client, client="Иван Петров")
        again = await forget(client, client="Иван Петров")
        rated = await client.post("/v1/ratings", json={"request_id": row.request_id, "thumb": 1})
        table = (await client.get("/v1/ratings/summary")).json()["scores"]
    assert gone == {"answers": 2, "judgements": 0, "tainted": [adapter]}
    assert again == {"answers": 0, "judgements": 0, "tainted": []}
    assert rated.status_code == 404
    assert sum(one["corrected"] for one in table) == 1
    async with desk.database.view() as unit:
        left = [row.correction for row in await unit.ratings.all() if row.correction]
        marked = await unit.adapters.get(adapter)
        deeds = await unit.audit.last()
    assert left == ["едет к Анне"] and marked is not None and marked.tainted_at is not None
    assert [(deed.action, deed.details["who"]) for deed in deeds] == [("forget", "client")] * 2
    assert "Иван" not in json.dumps([[deed.target, deed.details] for deed in deeds], ensure_ascii=False)


async def test_an_operator_is_forgotten_and_what_is_still_on_its_way_too(desk: Desk) -> None:
    async with desk.client() as client:
        found = await suggest(client)
        await judge(client, found, operator="Мария", correction="слова Марии", thumb=1)
        await judge(client, found, operator="Пётр", correction="слова Петра")
        gone = await forget(client, operator="Мария")
    assert gone["judgements"] == 1
    await drain_once(RatingBook(desk.redis, desk.storage), desk.database, "trainer", block=0.05)
    async with desk.database.view() as unit:
        assert [row.correction for row in await unit.ratings.all()] == ["слова Петра"]
    kept = [await desk.redis.hvals(name) for name in await desk.redis.keys("*rating:*")]
    assert "слова Петра" in repr(kept) and "слова Марии" not in repr(kept)


async def test_people_of_another_key_are_for_admins(desk: Desk) -> None:
    owner = await desk.make_key("chat", "rate")
    async with desk.client(owner) as client:
        await suggest(client, client="Иван")
    who = {"client": "Иван", "key": owner.split("_")[1]}
    async with desk.client() as stranger, desk.client(desk.admin_key) as admin:
        own = await forget(stranger, client="Иван")
        refused = await stranger.post("/v1/people/forget", json=who)
        unknown = await admin.post("/v1/people/forget", json={"client": "Иван", "key": "0" * 12})
        done = await forget(admin, **who)
    assert own["answers"] == 0 and refused.status_code == 403 and unknown.status_code == 404
    assert done["answers"] == 2


async def test_what_came_without_a_name_goes_too_and_somebody_must_be_meant(desk: Desk) -> None:
    async with desk.client() as client:
        await suggest(client, client="")
        nobody = await client.post("/v1/people/forget", json={})
        gone = await forget(client, unnamed=True)
        later = await suggest(client, client="")
        await judge(client, later, thumb=1)
    assert nobody.status_code == 422 and gone["answers"] == 2
    await store(desk)
    async with desk.database.view() as unit:
        assert len(await unit.ratings.all()) == 1
