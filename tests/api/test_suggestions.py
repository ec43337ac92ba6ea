"""Suggestions and ratings: blind, several models, kept as Telegram's answers are, taught from only where agreed."""

from __future__ import annotations

from typing import Any

import httpx
import openai

from bot import texts
from storage.ratings import RatingBook
from storage.ratings_sink import drain_once
from storage.repositories.feedback import FeedbackPages
from tests.api.conftest import Desk
from training.data.feedback.reading import forgotten_preferences, read_log


async def store(desk: Desk) -> int:
    return await drain_once(RatingBook(desk.redis, desk.storage), desk.database, "trainer", block=0.05)


async def suggest(client: httpx.AsyncClient, /, **more: object) -> dict[str, Any]:
    sent = {"question": "Где мой заказ?", "models": ["otklik", "base"], "emotion": "joy", "client": "Иван", **more}
    answer = await client.post("/v1/suggestions", json=sent)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_answers_side_by_side_do_not_say_whose_they_are(desk: Desk) -> None:
    async with desk.client() as client:
        found = await suggest(client, models=["otklik", "base", "otklik"])
        refused = await client.get(f"/v1/suggestions/{found['id']}")
    shown = found["suggestions"]
    assert [one["letter"] for one in shown] == ["A", "B", "C"]
    assert all(one["model"] is None and one["text"] for one in shown)
    assert len({one["request_id"] for one in shown}) == 3
    assert refused.status_code == 403
    async with desk.client(desk.admin_key) as admin:
        told = (await admin.get(f"/v1/suggestions/{found['id']}")).json()
    assert [one["request_id"] for one in told["suggestions"]] == [one["request_id"] for one in shown]
    assert all(one["model"] for one in told["suggestions"])


async def test_a_choice_a_correction_and_stars_become_ratings_of_the_same_book(desk: Desk) -> None:
    key = await desk.make_key("chat", "rate", learn=True)
    async with desk.client(key) as client:
        found = await suggest(client, models=["otklik", "base", "base"])
        best, *others = [one["request_id"] for one in found["suggestions"]]
        stars = {"content": 5, "grammar": 4, "structure": 4, "style": 3}
        made = await client.post(
            "/v1/ratings",
            json={
                "request_id": best,
                "operator": "Мария",
                "thumb": 1,
                "stars": stars,
                "chosen": True,
                "correction": "Заказ уже едет!",
            },
        )
        assert made.status_code == 201 and made.json()["preferred_over"] == 2
        assert await store(desk) == 3
        table = (await client.get("/v1/ratings/summary")).json()["scores"]
    assert sum(one["ratings"] for one in table) == 3
    rated = next(one for one in table if one["criteria"])
    assert rated["weighted"]["mean"] == 0.45 * 5 + 0.2 * 4 + 0.2 * 4 + 0.15 * 3
    assert rated["criteria"]["content"]["counts"] == [0, 0, 0, 0, 1]
    async with desk.database.view() as unit:
        rows = await unit.ratings.all()
        consents = {user: (await unit.people.ensure(user)).consent for user in {row.user_id for row in rows}}
    assert {row.preferred_over for row in rows if row.preferred_over} == set(others)
    assert set(consents.values()) == {True}


async def test_a_change_of_mind_leaves_one_winner_of_a_pair(desk: Desk) -> None:
    async with desk.client() as client:
        found = await suggest(client)
        one, other = [each["request_id"] for each in found["suggestions"]]
        for chosen in (one, other):
            sent = {"request_id": chosen, "operator": "Мария", "chosen": True}
            assert (await client.post("/v1/ratings", json=sent)).status_code == 201
    await store(desk)
    async with desk.database.view() as unit:
        rows = await unit.ratings.all()
    assert [(row.request_id, row.preferred_over) for row in rows if row.preferred_over] == [(other, one)]


async def test_a_change_of_mind_among_three_leaves_nothing_of_the_first_choice(desk: Desk) -> None:
    key = await desk.make_key("chat", "rate", learn=True)
    async with desk.client(key) as client:
        found = await suggest(client, models=["otklik", "base", "base"])
        first, second, third = [each["request_id"] for each in found["suggestions"]]

        async def choose(chosen: str, operator: str) -> None:
            sent = {"request_id": chosen, "operator": operator, "chosen": True}
            assert (await client.post("/v1/ratings", json=sent)).status_code == 201

        await choose(first, "Мария")
        await choose(first, "Пётр")
        await store(desk)
        await choose(second, "Мария")
        await store(desk)
        table = (await client.get("/v1/ratings/summary")).json()["scores"]
    pairs = [(first, second), (first, third), (second, first), (second, third)]
    async with desk.database.view() as unit:
        rows = await unit.ratings.all()
        noted = await FeedbackPages(unit.session).preferences([found["id"]])
    assert sorted((row.request_id, row.preferred_over) for row in rows if row.preferred_over) == sorted(pairs)
    assert sum(one["chosen"] for one in table) == sum(one["ratings"] for one in table) == 4
    maria = {one.user_id for one in noted if one.request_id == second}
    standing = forgotten_preferences([], [one for one in noted if one.user_id in maria])
    assert sorted((one.request_id, one.preferred_over) for one in standing) == sorted(pairs[2:])
    with await read_log(desk.database) as log:
        taught = {
            (one.request_id, judged.preferred_over, judged.person)
            for entry in log
            for one in entry.answers
            for judged in one.judgements
            if judged.preferred_over
        }
    assert sorted((winner, loser) for winner, loser, _ in taught) == sorted(pairs)
    assert {len({person for winner, _, person in taught if winner == one}) for one in (first, second)} == {1}


async def test_nobody_learns_from_people_behind_a_key_that_did_not_agree(desk: Desk) -> None:
    async with desk.client() as client:
        found = await suggest(client)
        sent = {"request_id": found["suggestions"][0]["request_id"], "thumb": 1, "operator": "Мария"}
        await client.post("/v1/ratings", json=sent)
    await store(desk)
    async with desk.database.view() as unit:
        assert await unit.people.consenting() == set()


async def test_only_the_key_that_got_an_answer_can_rate_it(desk: Desk) -> None:
    other = await desk.make_key("chat", "rate")
    async with desk.client() as client, desk.client(other) as stranger:
        found = await suggest(client)
        sent = {"request_id": found["suggestions"][0]["request_id"], "thumb": 1}
        refused = await stranger.post("/v1/ratings", json=sent)
        nothing = await client.post("/v1/ratings", json={"request_id": sent["request_id"]})
        theirs = (await stranger.get("/v1/ratings/summary")).json()
    assert refused.status_code == 404 and refused.json()["code"] == "no_such_answer"
    assert nothing.status_code == 422 and "say something" in nothing.json()["detail"]
    assert theirs == {"scores": []}


async def test_a_stored_completion_can_be_rated_and_others_leave_no_words(desk: Desk) -> None:
    hello: Any = [{"role": "user", "content": "Меня повысили"}]
    async with openai.AsyncOpenAI(base_url=f"{desk.url}/v1", api_key=desk.key, max_retries=0) as official:
        made = await official.chat.completions.create(model="otklik", messages=hello, store=True)
        other = await official.chat.completions.create(model="otklik", messages=hello)
    async with desk.client() as client:
        choices: list[Any] = [made.choices[0], other.choices[0]]
        ids = [one.model_extra["otklik"]["request_id"] for one in choices]
        answers = [await client.post("/v1/ratings", json={"request_id": one, "thumb": -1}) for one in ids]
    assert [answer.status_code for answer in answers] == [201, 404]


async def test_danger_is_answered_with_help(desk: Desk) -> None:
    async with desk.client() as client:
        found = await suggest(client, question="я хочу покончить с собой")
    assert found["crisis"] == texts.CRISIS and found["suggestions"] == []


async def test_a_model_that_fails_leaves_the_others_their_place(desk: Desk) -> None:
    async with desk.client() as client:
        answer = await client.post(
            "/v1/suggestions", json={"question": "Где заказ?", "models": ["otklik", "no-such-model"]}
        )
    assert answer.status_code == 404 and answer.json()["code"] == "model_not_found"
