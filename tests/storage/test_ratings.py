"""Ratings: merged view, exactly-once, under repeats, races and a killed server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from storage.contracts import Rating, RatingSource, RatingStars
from storage.embedded import EmbeddedRedis
from storage.ratings import RatingBook, merge, thumb_source
from storage.settings import StorageSettings


def rate(rating_id: str, user: int = 7, **said: object) -> Rating:
    return Rating.model_validate(
        {"rating_id": rating_id, "chat_id": 1, "message_id": 2, "user_id": user, "request_id": "r"} | said
    )


@pytest.fixture
def book(redis: Redis, storage_settings: StorageSettings) -> RatingBook:
    return RatingBook(redis, storage_settings)


async def test_the_last_word_wins_and_the_rest_stays(book: RatingBook) -> None:
    await book.submit(rate("1", thumb=1, reason="не та эмоция"))
    await book.submit(rate("2", stars={"content": 4}))
    merged = await book.submit(rate("3", thumb=-1, stars={"style": 2}))
    assert (merged.thumb, merged.reason) == (-1, "не та эмоция")
    assert merged.stars == RatingStars(content=4, style=2)
    assert await book.stream.outstanding() == 3


async def test_what_is_written_has_only_what_older_readers_know_and_keeps_who_gave_the_thumb(
    book: RatingBook, redis: Redis
) -> None:
    await book.submit(rate("1", thumb=1, source="reaction"))
    await book.submit(rate("2", stars={"content": 4}, source="button"))
    entries: Any = await redis.xrange(book.stream.stream)
    pushed = [json.loads(text) for _, fields in entries for text in fields.values() if str(text).startswith("{")]
    shown = [json.loads(text) for text in await redis.hvals(book.keys.rating(1, 2))]
    known = "protocol rating_id chat_id message_id user_id request_id thumb stars reason preferred_over correction"
    for written in (*pushed, *shown):
        assert set(written) == {*known.split(), "source", "created_at"}
    assert [one["source"] for one in pushed] == ["reaction", "button"] and len(shown) == 1
    stored = await book.of_user(1, 2, 7)
    assert stored is not None and thumb_source(stored) is RatingSource.REACTION


async def test_each_answer_under_a_message_keeps_what_was_said_of_it(book: RatingBook) -> None:
    await book.submit(rate("1", thumb=1, stars={"content": 4}))
    await book.submit(rate("2", user=8, thumb=-1))
    await book.submit(rate("3", request_id="r2", preferred_over="r"))
    assert {user: said.thumb for user, said in (await book.of_answer(1, 2, "r")).items()} == {7: 1, 8: -1}
    assert {user: said.preferred_over for user, said in (await book.of_answer(1, 2, "r2")).items()} == {7: "r"}
    merged = await book.submit(rate("4", thumb=-1))
    assert (merged.thumb, merged.stars) == (-1, RatingStars(content=4))
    assert (await book.of_answer(1, 2, "r"))[7] == merged
    await book.forget(1, 2, 7)
    assert await book.of_answer(1, 2, "r2") == {} and set(await book.of_message(1, 2)) == {8}


async def test_the_same_tap_delivered_twice_counts_once(book: RatingBook) -> None:
    await book.submit(rate("1", thumb=1))
    await book.submit(rate("2", thumb=-1))
    again = await book.submit(rate("1", thumb=1))
    assert again.thumb == -1
    assert await book.stream.outstanding() == 2


async def test_a_rating_stored_by_another_release_can_be_changed(book: RatingBook) -> None:
    await book.submit(rate("1", thumb=1))
    place = book.keys.rating(1, 2)
    stored = json.loads(str(await book.redis.hget(place, "7")))
    del stored["correction"]
    await book.redis.hset(place, "7", json.dumps(stored))
    assert (await asyncio.wait_for(book.submit(rate("2", thumb=-1)), 5)).thumb == -1


async def test_many_people_at_once_lose_nothing(book: RatingBook) -> None:
    await asyncio.gather(*(book.submit(rate(f"{u}-{n}", user=u, thumb=1)) for u in range(10) for n in range(5)))
    assert len(await book.of_message(1, 2)) == 10
    assert await book.stream.outstanding() == 50


async def test_ratings_survive_kill_nine(book: RatingBook, embedded: EmbeddedRedis) -> None:
    for number in range(200):
        await book.submit(rate(str(number), user=number % 5, thumb=1 if number % 2 else -1))
        if number % 60 == 30:
            await embedded.kill()
            await embedded.start()
    assert await book.stream.outstanding() == 200
    assert {user: r.thumb for user, r in (await book.of_message(1, 2)).items()} == {0: 1, 1: -1, 2: 1, 3: -1, 4: 1}


async def test_forgetting_one_person_leaves_the_others(book: RatingBook) -> None:
    await book.submit(rate("1", user=1, thumb=1))
    await book.submit(rate("2", user=2, thumb=1))
    await book.forget(1, 2, 1)
    assert set(await book.of_message(1, 2)) == {2}


CRITERIA = tuple(RatingStars.model_fields)
said = st.fixed_dictionaries(
    {
        "thumb": st.sampled_from([None, -1, 0, 1]),
        "reason": st.sampled_from([None, "не та эмоция"]),
        "stars": st.none() | st.builds(RatingStars, **{name: st.none() | st.integers(1, 5) for name in CRITERIA}),
        "preferred_over": st.sampled_from([None, "", "other", "third"]),
        "correction": st.sampled_from([None, "", "Ура!", "Эх…"]),
        "source": st.sampled_from(list(RatingSource)),
    }
)


def giver(history: list[dict[str, Any]]) -> object:
    """Who changed the thumb last."""
    thumb, source = None, None
    for words in history:
        if words["thumb"] is not None and words["thumb"] != thumb:
            thumb, source = words["thumb"], words["source"]
    return source


@given(st.lists(said, min_size=1, max_size=6))
def test_merging_one_by_one_keeps_the_last_thing_said_of_each_field(history: list[dict[str, Any]]) -> None:
    merged: Rating | None = None
    for number, words in enumerate(history):
        merged = merge(merged, rate(str(number), **words))
    assert merged is not None
    assert thumb_source(merged) == giver(history)
    for field in ("thumb", "reason", "preferred_over", "correction"):
        spoken = [words[field] for words in history if words[field] is not None]
        assert getattr(merged, field) == (spoken[-1] if spoken else None)
    for criterion in CRITERIA:
        values = [getattr(w["stars"], criterion) for w in history if w["stars"] is not None]
        spoken = [value for value in values if value is not None]
        assert getattr(merged.stars or RatingStars(), criterion) == (spoken[-1] if spoken else None)
    assert (merged.rating_id, merged.source) == (str(len(history) - 1), history[-1]["source"])


@given(st.lists(said, min_size=1, max_size=4), st.lists(said, max_size=3), st.booleans())
def test_a_rating_that_comes_twice_changes_nothing_and_another_answer_is_judged_anew(
    history: list[dict[str, Any]], before: list[dict[str, Any]], same: bool
) -> None:
    earlier: Rating | None = None
    for number, words in enumerate(before):
        earlier = merge(earlier, rate(f"earlier {number}", request_id="r" if same else "variant", **words))
    merged, fresh = earlier, None
    for number, words in enumerate(history):
        later = rate(str(number), **words)
        merged, fresh = merge(merged, later), merge(fresh, later)
        assert merge(merged, later) == merged
    if not same or not before:
        assert merged == fresh
