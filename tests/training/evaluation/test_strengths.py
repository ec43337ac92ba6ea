"""Bradley–Terry strengths on the Elo scale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.people.strengths import Duel, Unconnected, chance, strengths


def won(one: str, other: str, wins: int, of: int) -> list[Duel]:
    return [Duel(one, other, float(number < wins), f"{one}{other}{number}") for number in range(of)]


def test_two_systems_stand_apart_by_the_odds() -> None:
    """90 of 100 are odds of 9: 400·log10(9) = 381.7 points, less what a tenth of a win each takes off."""
    best, worst = strengths(won("a", "b", 90, 100))
    assert (best.system, worst.system) == ("a", "b")
    assert best.elo.mean - worst.elo.mean == pytest.approx(400 * math.log10(90.1 / 10.1), abs=0.1)
    assert best.elo.mean + worst.elo.mean == pytest.approx(2000)
    assert chance(best.elo.mean, worst.elo.mean) == pytest.approx(0.9, abs=0.002)
    assert worst.elo.high < best.elo.low


def test_known_strengths_are_found_through_chains() -> None:
    draw = np.random.default_rng(0)
    truth = {"a": 1200.0, "b": 1000.0, "c": 800.0}
    duels = [
        Duel(one, other, float(draw.random() < chance(truth[one], truth[other])), str(number))
        for number in range(1500)
        for one, other in (("a", "b"), ("b", "c"))
    ]
    found = {one.system: one.elo for one in strengths(duels)}
    for name, elo in truth.items():
        assert found[name].mean == pytest.approx(elo, abs=30)
        assert found[name].low < found[name].mean < found[name].high


def test_ties_pull_together() -> None:
    decided = won("a", "b", 30, 40)
    tied = decided + [Duel("a", "b", 0.5, f"tie{number}") for number in range(40)]
    gap = [one[0].elo.mean - one[1].elo.mean for one in (strengths(decided), strengths(tied))]
    assert 0 < gap[1] < gap[0]


def test_one_who_never_lost_stays_finite() -> None:
    found = strengths(won("a", "b", 200, 200))
    assert all(math.isfinite(one.elo.mean) for one in found)


def test_many_pairs_by_one_person_are_one_opinion() -> None:
    one = strengths([Duel("a", "b", 1.0, "anna")] * 30 + [Duel("a", "b", 0.0, "boris")] * 10)
    assert one[0].elo.n == 2 and one[0].elo.few
    assert one[0].elo.low < 1000 < one[0].elo.high


def test_systems_that_never_met_are_not_put_on_one_scale() -> None:
    with pytest.raises(Unconnected, match=r"a, b \| c, d"):
        strengths(won("a", "b", 5, 10) + won("c", "d", 5, 10))
    with pytest.raises(ValueError, match="different systems"):
        strengths([Duel("a", "a", 1.0, "x")])
