"""The length-controlled win rate on systems whose merits are known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.evaluation.judging.length_control import RIDGE, fit, overlap, scaled, sigmoid, win_rate
from training.evaluation.statistics import interval

DRAW = np.random.default_rng(5)
N = 400


def lengths(more: float, n: int = N) -> tuple[list[int], list[int]]:
    """Characters of both systems; the first writes `more` more on average."""
    base = DRAW.integers(80, 400, n)
    return np.maximum(10, base + DRAW.normal(more, 90, n)).astype(int).tolist(), base.tolist()


def judged(theta: float, phi: float, mine: list[int], theirs: list[int]) -> list[float]:
    """Verdicts of a judge who likes the first system by `theta` and length by `phi`."""
    chance = sigmoid(theta + phi * scaled(mine, theirs))
    return [float(one) for one in DRAW.random(len(mine)) < chance]


def test_a_system_that_is_only_longer_falls_to_one_half() -> None:
    mine, theirs = lengths(90)
    liked = judged(0.0, 3.0, mine, theirs)
    raw, controlled = interval(liked), win_rate(liked, mine, theirs)
    assert raw.low > 0.6
    assert controlled.low < 0.5 < controlled.high
    assert controlled.mean == pytest.approx(0.5, abs=0.08)


def test_a_judge_who_decides_by_length_alone_leaves_one_half() -> None:
    mine, theirs = lengths(80)
    liked = [float(one > other) + 0.5 * (one == other) for one, other in zip(mine, theirs, strict=True)]
    assert np.mean(liked) > 0.75
    assert win_rate(liked, mine, theirs).mean == pytest.approx(0.5, abs=0.1)


def test_a_better_system_stays_better_at_equal_length() -> None:
    mine, theirs = lengths(90)
    controlled = win_rate(judged(1.2, 1.0, mine, theirs), mine, theirs)
    assert controlled.low > 0.6
    assert controlled.low < sigmoid(np.asarray(1.2)) < controlled.high


def test_a_shorter_better_system_is_not_punished_for_brevity() -> None:
    mine, theirs = lengths(-90)
    liked = judged(0.8, 3.0, mine, theirs)
    assert np.mean(liked) < 0.5 < win_rate(liked, mine, theirs).low


def test_without_length_differences_it_is_the_raw_win_rate() -> None:
    liked = [1.0] * 30 + [0.5] * 10 + [0.0] * 20
    found = win_rate(liked, [100] * 60, [100] * 60)
    assert found.mean == pytest.approx(np.mean(liked), abs=1e-4)
    assert found.low < found.mean < found.high


def test_by_hand_two_groups_of_prompts() -> None:
    """Differences of +d and −d, four prompts each: longer wins 3 of 4, shorter 2 of 4. tanh(±1), so without the ridge
    σ(θ + φt) = 3/4 and σ(θ − φt) = 1/2 give θ = (ln 3 + 0) / 2 and σ(θ) = √3 / (1 + √3) = 0.6340."""
    liked, mine = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0], [150] * 4 + [50] * 4
    many = 50
    found = win_rate(liked * many, mine * many, [100] * 8 * many)
    assert found.mean == pytest.approx(np.sqrt(3) / (1 + np.sqrt(3)), abs=1e-3)


def test_swapping_the_systems_mirrors_it() -> None:
    mine, theirs = lengths(60)
    liked = judged(0.5, 1.5, mine, theirs)
    swapped = win_rate([1 - one for one in liked], theirs, mine)
    assert win_rate(liked, mine, theirs).mean == pytest.approx(1 - swapped.mean, abs=1e-6)


def test_the_fit_is_that_of_scikit_learn() -> None:
    mine, theirs = lengths(50)
    liked = np.asarray(judged(0.4, 1.0, mine, theirs))
    longer = scaled(mine, theirs)
    theirs_fit = LogisticRegression(C=1 / RIDGE, fit_intercept=False, tol=1e-8)
    theirs_fit.fit(np.stack([np.ones(N), longer], axis=1), liked)
    ours = fit(liked, longer, np.ones((1, N)))[0]
    assert ours == pytest.approx(theirs_fit.coef_[0], abs=1e-3)


@pytest.mark.parametrize("liked", [[1.0] * 25, [0.0] * 25, [1.0]])
def test_one_sided_verdicts_stay_finite(liked: list[float]) -> None:
    mine = list(range(100, 100 + len(liked)))
    found = win_rate(liked, mine, [90] * len(liked))
    assert 0 <= found.low <= found.mean <= found.high <= 1


def test_values_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        win_rate([1.0], [1, 2], [1, 2])
    with pytest.raises(ValueError, match="some"):
        win_rate([], [], [])


def test_overlap_is_the_share_on_which_the_longer_system_is_not() -> None:
    assert overlap([5, 5, 5, 1], [2, 2, 2, 2]) == 0.25
    assert overlap([1, 1], [2, 3]) == 0.0
    assert overlap([4, 4], [4, 4]) == 1.0
