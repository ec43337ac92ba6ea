"""The same answers for several operators, and whether they agree."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bot.api.agreement import CARE, NO_PICKS, NOBODY, SAME, alpha, same_picks
from bot.api.settings import ApiSettings
from storage.database import Database, upgrade
from storage.repositories.agreement import Picks, picked, shared
from storage.tables import RatingRow, ReplyRow, TurnRow
from tests.api.conftest import Desk, Serve
from tests.api.test_dashboard import enter
from tests.api.test_suggestions import store
from tests.widget.conftest import make_token

MODELS = ("otklik", "base", "otklik", "base")
START = datetime(2026, 11, 1, tzinfo=UTC)


async def ask(desk: Desk, operator: str, **more: object) -> dict[str, Any]:
    token = await make_token(desk, operator)
    async with desk.client(token) as client:
        sent = {"question": "Где заказ?", "emotion": "joy", "task": "обращение 7", "client": "Иван", **more}
        answer = await client.post("/v1/suggestions", json=sent)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [one["request_id"] for one in found["suggestions"]]


async def test_operators_judge_the_same_answers_each_in_an_order_of_their_own(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=MODELS))
    first = await ask(desk, "Мария")
    others = [await ask(desk, f"оператор {number}") for number in range(6)]
    assert {one["id"] for one in others} == {first["id"]}
    assert all(set(ids(one)) == set(ids(first)) for one in others)
    assert len({tuple(ids(one)) for one in others}) > 2
    assert all([s["letter"] for s in one["suggestions"]] == ["A", "B", "C", "D"] for one in others)
    assert not any(s["model"] for one in others for s in one["suggestions"])
    assert ids(await ask(desk, "Мария")) == ids(first)
    assert ids(await ask(desk, "оператор 3")) == ids(others[3])


async def test_another_question_or_none_of_a_name_is_answered_anew(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=MODELS[:2]))
    first = await ask(desk, "Мария")
    others = [
        await ask(desk, "Олег", question="А где возврат?"),
        await ask(desk, "Олег", task="обращение 8"),
        await ask(desk, "Олег", task=""),
        await ask(desk, "Олег", articles=[{"title": "Доставка", "text": "Два дня."}]),
        await ask(desk, "Олег", emotion="sadness"),
    ]
    assert len({one["id"] for one in (first, *others)}) == 6


async def test_asked_at_the_same_moment_they_still_judge_the_same_answers(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=MODELS[:2]))
    found = await asyncio.gather(*(ask(desk, f"оператор {number}") for number in range(5)))
    assert len({one["id"] for one in found}) == 1


async def test_a_forgotten_client_takes_the_named_question_along(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=MODELS[:2]))
    first = await ask(desk, "Мария")
    async with desk.database.unit() as unit:
        turn = await unit.session.get(TurnRow, first["id"])
        await unit.session.delete(turn)
        await unit.commit()
    assert ids(await ask(desk, "Мария")) != ids(first)


async def test_agreement_over_http(serve: Serve, worker: object) -> None:
    desk = await serve(ApiSettings(widget_models=MODELS[:2]))
    for number in range(3):
        for operator in ("Мария", "Олег"):
            found = await ask(desk, operator, task=f"обращение {number}")
            best, other = sorted(ids(found))
            token = await make_token(desk, operator)
            # They agree on content and on two picks of three, and are at odds over style.
            style = 1 if operator == "Мария" else 5
            pick = other if operator == "Олег" and number == 2 else best
            async with desk.client(token) as client:
                for name, content in ((best, 5), (other, 2)):
                    stars = {"content": content, "style": style if name == best else 6 - style, "grammar": 4}
                    await client.post("/v1/ratings", json={"request_id": name, "stars": stars})
                await client.post("/v1/ratings", json={"request_id": pick, "chosen": True})
    while await store(desk):
        pass
    async with httpx.AsyncClient(base_url=desk.url) as browser:
        await enter(browser, desk.admin_key)
        page = (await browser.get("/dashboard/ratings")).text.replace("\u202f", " ").replace("\xa0", " ")
    assert "Один и тот же ответ выбрали 67 % пар" in page and "мало ответов" in page
    stranger = await desk.make_key("chat", "rate")
    async with desk.client() as client, desk.client(stranger) as other_client:
        told = (await client.get("/v1/ratings/agreement")).json()
        since = {"since": "2099-01-01T00:00:00Z"}
        later = (await client.get("/v1/ratings/agreement", params=since)).json()
        naive = await client.get("/v1/ratings/agreement", params={"since": "2026-01-01T00:00:00"})
        theirs = (await other_client.get("/v1/ratings/agreement")).json()
    assert told["people"] == 2
    assert told["criteria"]["content"] == {"alpha": 1.0, "answers": 6, "note": CARE}
    assert told["criteria"]["style"]["alpha"] < 0
    assert told["criteria"]["grammar"] == {"alpha": None, "answers": 6, "note": SAME}
    assert told["criteria"]["structure"] == {"alpha": None, "answers": 0, "note": NOBODY}
    expected = {"questions": 3, "pairs": 3, "same": 0.6667, "by_chance": 0.5, "note": None}
    assert told["picks"] == expected
    for none in (later, theirs):
        assert none["people"] == 0 and none["picks"]["note"] == NO_PICKS
        assert all(one["note"] == NOBODY for one in none["criteria"].values())
    assert naive.status_code == 422


def test_alpha_is_the_published_one() -> None:
    # Krippendorff 2011, the example with four observers, twelve units and gaps; ordinal data.
    table = [
        [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
        [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
    ]  # fmt: skip
    found = alpha([marks for marks in table if len(marks) > 1])
    assert found.alpha == pytest.approx(0.815, abs=0.001) and found.answers == 11 and found.note == CARE
    assert alpha([[1, 5], [5, 1]] * 20).note is None


def test_a_share_of_same_picks_counts_pairs_of_people() -> None:
    found = same_picks([Picks(3, ("a", "a", "b")), Picks(2, ("x", "x"))])
    assert (found.questions, found.pairs, found.same) == (2, 4, 0.5)
    assert found.by_chance == pytest.approx((3 / 3 + 1 / 2) / 4, abs=1e-4)


def test_the_last_of_several_picks_counts() -> None:
    later = START + timedelta(minutes=1)
    # First a over b and c; then b over a (which takes a over b back) and c.
    wins = [(1, 7, "a", START), (1, 7, "b", later), (1, 7, "b", later), (2, 7, "x", START), (2, 7, "y", later)]
    assert picked(wins) == {1: {7: "b"}, 2: {7: "y"}}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_both_databases_tell_what_was_shared(request: pytest.FixtureRequest, tmp_path: Any, kind: str) -> None:
    sqlite = f"sqlite+aiosqlite:///{tmp_path / 'desk.sqlite3'}"
    url = str(request.getfixturevalue("postgres_url")) if kind == "postgres" else sqlite
    await upgrade(url)
    database = Database(url)
    async with database.unit() as unit:
        unit.session.add(TurnRow(id=1, chat_id=-5, user_id=1, state="done"))
        await unit.session.flush()
        unit.session.add_all(ReplyRow(request_id=name, turn_id=1, chat_id=-5, emotion="joy") for name in "ab")
        assert await unit.tasks.claim(-5, "д" * 64, 1, 7)
        assert not await unit.tasks.claim(-5, "д" * 64, 2, 8)
        for user, mark in ((7, 5), (8, 4), (9, None)):
            stars = {"content": mark, "style": None} if mark else None
            row = RatingRow(chat_id=-5, message_id=1, user_id=user, request_id="a", source="button", updated_at=START)
            row.stars, row.preferred_over = stars, None if mark else "b"
            unit.session.add(row)
        await unit.commit()
    async with database.view() as unit:
        found = await shared(unit.session)
        nothing = await shared(unit.session, chat_id=-6)
    await database.close()
    assert {name: marks for name, marks in found.stars.items() if marks} == {"content": [[5, 4]]}
    assert found.picks == [] and found.people == 2
    assert nothing.people == 0
