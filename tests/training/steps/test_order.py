"""Order and number of rows: shuffle, limit, mixing."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.steps.conftest import Apply
from training.data.mixing import by_shares, in_order
from training.data.rows import Answer
from training.data.steps.order import Limit, Shuffle


def test_shuffling_keeps_every_row_and_repeats_by_seed(seed_answers: list[Answer], apply: Apply) -> None:
    rows = seed_answers[:300]
    first, again, other = (apply(Shuffle(), rows, seed)[0] for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(row.origin for row in first) == sorted(row.origin for row in rows)
    # Far from where they were: a buffer of neighbours would not do.
    moved = [abs(rows.index(row) - place) for place, row in enumerate(first)]
    assert sum(moved) / len(moved) == pytest.approx(len(rows) / 3, rel=0.2)


def test_limits_of_a_set_and_of_a_person(seed_answers: list[Answer], apply: Apply) -> None:
    rows = [row.model_copy(update={"person": f"p{place % 3 or ''}"}) for place, row in enumerate(seed_answers[:90])]
    kept, counts = apply(Limit(rows=10), rows)
    assert kept == rows[:10] and counts.entered == 10
    kept, counts = apply(Limit(rows=10, per="person"), rows)
    assert kept == rows[:30] and counts.dropped == {"over_limit_of_person": 60}
    nobody = [row.model_copy(update={"person": ""}) for row in rows]
    assert apply(Limit(rows=1, per="person"), nobody)[0] == nobody


def test_one_set_after_another_in_the_order_asked_for() -> None:
    assert list(in_order({"a": iter([1, 2]), "b": iter([3])}, ("b", "a"))) == [3, 1, 2]


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(0.05, 10), min_size=1), st.integers(1, 300))
def test_every_beginning_of_a_mix_holds_the_shares(shares: dict[str, float], length: int) -> None:
    streams = {name: iter([name] * length) for name in shares}
    drawn = list(islice(by_shares(streams, shares), length))
    assert len(drawn) == length
    for name, share in shares.items():
        assert abs(drawn.count(name) - length * share / sum(shares.values())) < len(shares)


def test_a_mix_ends_when_its_shares_cannot_be_kept() -> None:
    streams = {"many": iter("m" * 100), "few": iter("f" * 10), "none": iter("n")}
    drawn = list(by_shares(streams, {"many": 3, "few": 1, "none": 0}))
    assert drawn.count("f") == 10 and 28 <= drawn.count("m") <= 33 and "n" not in drawn
