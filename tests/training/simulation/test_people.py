"""Synthetic people: the same for a seed, every emotion asked for, kinds that change nobody's taste."""

from __future__ import annotations

import random

import pytest

from training.simulation.people import EMOTIONS, Kind, make_people
from training.simulation.reacting import Habits, to_first, to_second

CALM = Habits(rates=1.0, another=1.0, corrects=1.0, noise=0.0)


def test_the_same_seed_makes_the_same_people_and_another_seed_others() -> None:
    assert make_people(20, 1) == make_people(20, 1)
    assert make_people(20, 1) != make_people(20, 2)


def test_every_emotion_is_asked_for_by_about_as_many() -> None:
    counts = {name: sum(name in one.wishes for one in make_people(70, 0)) for name in EMOTIONS}
    assert min(counts.values()) >= 20
    assert sum(counts.values()) == 210


def test_bad_raters_have_their_shares_and_everybody_keeps_their_taste() -> None:
    honest, bad = make_people(40, 3), make_people(40, 3, agreeable=0.2, inverted=0.1)
    kinds = [one.kind for one in bad]
    assert (kinds.count(Kind.AGREEABLE), kinds.count(Kind.INVERTED)) == (8, 4)
    assert {one.kind for one in honest} == {Kind.HONEST}
    assert [one.wishes for one in honest] == [one.wishes for one in bad]


def test_shares_that_exceed_everybody_are_refused() -> None:
    with pytest.raises(ValueError, match="shares of raters"):
        make_people(10, 0, agreeable=0.8, inverted=0.3)


def thumbs(kind: Kind, value: float) -> list[int]:
    found = [to_first(kind, value, random.Random(seed), CALM).thumb for seed in range(200)]
    return [thumb for thumb in found if thumb is not None]


def test_honest_people_like_good_answers_and_inverted_ones_bad_answers() -> None:
    assert sum(thumbs(Kind.HONEST, 4.0)) > 180
    assert sum(thumbs(Kind.HONEST, -4.0)) < -180
    assert sum(thumbs(Kind.INVERTED, 4.0)) < -180
    assert set(thumbs(Kind.AGREEABLE, -4.0)) == {1}


def test_only_who_dislikes_an_answer_wants_another_or_corrects_it() -> None:
    for seed in range(100):
        first = to_first(Kind.HONEST, 0.0, random.Random(seed), CALM)
        assert first.another is first.corrects is (first.thumb == -1)


def kept(kind: Kind, before: float, value: float) -> int:
    return sum(to_second(kind, before, value, random.Random(seed), CALM).keeps for seed in range(200))


def test_honest_people_keep_the_better_variant_and_inverted_ones_the_worse() -> None:
    assert kept(Kind.HONEST, -2.0, 2.0) > 190
    assert kept(Kind.HONEST, 2.0, -2.0) < 10
    assert kept(Kind.INVERTED, -2.0, 2.0) < 10


def test_some_answers_are_left_unrated() -> None:
    quiet = Habits(rates=0.5)
    said = [to_first(Kind.HONEST, 1.0, random.Random(seed), quiet).thumb for seed in range(200)]
    assert 60 < said.count(None) < 140


def test_nobody_contradicts_their_own_choice_of_a_variant() -> None:
    for kind in Kind:
        for seed in range(100):
            second = to_second(kind, 0.0, 0.0, random.Random(seed), CALM)
            assert second.thumb in (None, 1 if second.keeps else -1)
