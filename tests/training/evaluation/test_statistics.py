import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap

from training.evaluation.statistics import LEAST, RESAMPLES, difference, flipped, interval


def test_an_interval_holds_the_mean_and_narrows_with_more_prompts() -> None:
    draw = np.random.default_rng(0)
    few, many = interval(draw.normal(1, 1, 30).tolist()), interval(draw.normal(1, 1, 3000).tolist())
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 4


def test_intervals_cover_the_truth_as_often_as_they_claim() -> None:
    draw = np.random.default_rng(1)
    found = [interval(draw.exponential(1, 60).tolist(), seed) for seed in range(150)]
    covered = sum(one.low <= 1 <= one.high for one in found) / len(found)
    assert 0.88 <= covered <= 0.99


def test_equal_systems_are_called_different_rarely() -> None:
    draw = np.random.default_rng(2)
    wrong = sum(flipped(draw.normal(0, 1, 40).tolist(), seed, 500) < 0.05 for seed in range(300))
    assert wrong <= 30


def test_a_real_difference_is_found_and_told_in_both_languages() -> None:
    draw = np.random.default_rng(3)
    base = draw.normal(0, 1, 200)
    better = difference((base + 0.3 + draw.normal(0, 0.3, 200)).tolist(), base.tolist())
    assert better.verdict == "higher"
    assert better.words("ru") == "выше"
    assert difference(base.tolist(), (base + 0.3).tolist()).words() == "lower"


def test_too_few_prompts_are_told_whatever_they_show() -> None:
    told = difference([1.0] * (LEAST - 1), [0.0] * (LEAST - 1))
    assert told.verdict == "few"
    assert f"нужно хотя бы {LEAST}" in told.words("ru")
    assert f"(only {LEAST - 1})" in str(told.interval)


def test_values_that_are_all_the_same_have_no_width() -> None:
    same = interval([0.5] * 40)
    assert (same.low, same.mean, same.high) == (0.5, 0.5, 0.5)
    assert difference([0.5] * 40, [0.5] * 40).p == 1.0


@pytest.mark.parametrize("other", [[1.0], []])
def test_values_that_do_not_match_are_refused(other: list[float]) -> None:
    with pytest.raises(ValueError, match="one length"):
        difference([1.0, 2.0], other)
    with pytest.raises(ValueError, match="no values"):
        interval([])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_swapping_systems_mirrors_the_difference(values: list[float]) -> None:
    zero = [0.0] * len(values)
    assert flipped(values, 7) == pytest.approx(flipped([-one for one in values], 7), abs=0.03)
    assert difference(values, zero).interval.mean == pytest.approx(-difference(zero, values).interval.mean)


@pytest.mark.parametrize("seed", range(6))
def test_an_interval_is_that_of_scipy(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values = (draw.random(60) < 0.8).astype(float) if seed % 2 else draw.exponential(size=40 + seed)
    theirs = bootstrap((values,), np.mean, n_resamples=RESAMPLES, rng=np.random.default_rng(seed)).confidence_interval
    own = interval(values.tolist(), seed)
    assert (own.low, own.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_work_grows_with_the_prompts_and_not_with_their_square() -> None:
    """A hundred times the values: about a hundred times the seconds; the square would be ten thousand."""
    draw = np.random.default_rng(0)

    def seconds(count: int) -> float:
        values = draw.random(count).tolist()
        began = time.process_time()
        interval(values)
        return time.process_time() - began

    seconds(300)
    assert seconds(30_000) < 1000 * max(seconds(300), 0.004)
