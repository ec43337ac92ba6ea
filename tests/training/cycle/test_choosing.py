"""Which method `auto` takes, and what it says of it."""

from __future__ import annotations

import pytest

from training.cycle.choosing import Counts, Needs, choose

NEEDS = Needs(pairs=100, thumbs=100, answers=100)


@pytest.mark.parametrize(
    ("counts", "method"),
    [
        (Counts(pairs=100), "dpo"),
        (Counts(pairs=100, liked=900, disliked=900), "dpo"),
        (Counts(pairs=100, longer=1.1), "dpo"),
        (Counts(pairs=100, longer=1.6), "simpo"),
        (Counts(pairs=99, liked=60, disliked=40), "kto"),
        (Counts(liked=60, disliked=40, answers=500), "kto"),
        (Counts(liked=200, disliked=0, answers=100), "sft"),
        (Counts(answers=100), "sft"),
        (Counts(), None),
        (Counts(pairs=99, liked=50, disliked=49, answers=99), None),
        (Counts(liked=200, disliked=0), None),
    ],
)
def test_what_there_is_decides(counts: Counts, method: str | None) -> None:
    choice = choose(counts, NEEDS)
    assert choice.method == method
    assert choice.ru and len(choice.ru) == len(choice.en), "every reason in both languages"


def test_too_little_says_how_many_more_of_what_the_nearest_first() -> None:
    choice = choose(Counts(pairs=10, liked=50, disliked=30, answers=40), NEEDS)
    assert "ещё 20 оценок" in choice.ru[1] and "есть 80" in choice.ru[1]
    assert "ещё 60 исправлений" in choice.ru[2]
    assert "ещё 90 пар" in choice.ru[3]
    assert "20 more thumbs" in choice.en[1]


def test_thumbs_of_one_kind_only_are_asked_for_the_other_kind() -> None:
    assert any("👎" in line for line in choose(Counts(liked=500, disliked=3), NEEDS).ru)
    assert any("👍" in line for line in choose(Counts(liked=3, disliked=500), NEEDS).ru)


def test_a_wanted_method_is_taken_with_few_rows_but_not_with_none() -> None:
    assert choose(Counts(liked=3, disliked=1), NEEDS, "kto").method == "kto"
    assert choose(Counts(liked=3, disliked=1), NEEDS, "dpo").method is None
    assert "учиться не на чем" in choose(Counts(), NEEDS, "sft").ru[0]
    assert choose(Counts(pairs=500), NEEDS, "magic").method is None
