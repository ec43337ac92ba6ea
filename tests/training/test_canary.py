"""Decisions on canaries: wrong ones are rare however often one looks, right ones come, one person decides nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.canary import DAY, World, outcomes
from training.canary import MEASURES, CanaryRules, Decision, Outcome, Trial, assess, fuse, observed, slower
from training.sequential import Seen, blocks, evidence, lower, shown, upper

RULES = CanaryRules()
MINUTE = 60.0


def test_bets_on_a_fair_mean_are_rarely_won_whenever_one_looks() -> None:
    random = np.random.default_rng(0)
    for level in (0.05, 0.01):
        won = sum(shown(random.choice([-1.0, 0.0, 1.0], 400), 0.0, -1.0, level) is not None for _ in range(600))
        assert won / 600 <= level + 2 * math.sqrt(level * (1 - level) / 600)


@pytest.mark.parametrize(("gain", "most"), [(0.1, 1500), (0.2, 350), (0.5, 60)])
def test_true_gains_are_shown_after_the_stated_number(gain: float, most: int) -> None:
    random = np.random.default_rng(1)
    odds = [(1 - gain) / 2, 0.0, (1 + gain) / 2]
    needed = [shown(random.choice([-1.0, 0.0, 1.0], 4000, p=odds), 0.0, -1.0, 0.01) or 4000 for _ in range(40)]
    assert np.median(needed) < most


def test_the_interval_holds_the_mean_at_all_times() -> None:
    random = np.random.default_rng(2)
    missed = 0
    for _ in range(200):
        values = (random.random(200) < 0.7).astype(float)
        missed += not lower(values, 0.025, 0.0, 1.0) <= 0.7 <= upper(values, 0.025, 0.0, 1.0)
    assert missed <= 16


def test_wealth_is_what_the_bets_make_of_it() -> None:
    assert evidence([0.5, 0.5], 0.5, 0.0) == pytest.approx([0.0, 0.0])
    assert (np.diff(evidence([1.0] * 20, 0.5, 0.0)) > 0).all()
    assert evidence([], 0.5, 0.0).size == 0


def test_arms_are_compared_with_what_came_at_the_same_time() -> None:
    ours = [Seen(1, 1.0), Seen(5, 0.0), Seen(6, 0.0)]
    theirs = [Seen(2, 0.5), Seen(3, 1.0), Seen(7, 1.0)]
    assert [(one.at, one.difference) for one in blocks(ours, theirs)] == [(2, 0.5), (5, -1.0), (7, 1.0 * -1)]


def says(chat: int, at: float, value: float, person: int | None = None, arm: str = "canary") -> Outcome:
    return Outcome(arm, chat, person or chat, at, value)


def test_a_chat_counts_once_however_much_is_said() -> None:
    flood = [says(1, float(number), 0.0) for number in range(1000)] + [says(2, 5.0, 1.0)]
    assert [one.value for one in observed(flood, 1, 2000, RULES)] == [0.0, 1.0]
    assert len(observed(flood, 5, 1000, RULES)) == 1, "the second chat is not quiet yet"
    assert len(observed(flood, 5, 5 + 31 * MINUTE, RULES)) == 2


def test_what_was_counted_does_not_change_by_what_comes_later() -> None:
    early = [says(1, 0.0, 1.0), says(1, 60.0, 1.0)]
    late = [*early, says(1, 60 + 40 * MINUTE, 0.0)]
    assert observed(early, 5, 60 + 35 * MINUTE, RULES) == observed(late, 5, 60 + 50 * MINUTE, RULES)


def test_in_a_group_everybody_has_one_voice() -> None:
    loud = [says(-5, float(number), 0.0, person=1) for number in range(4)] + [says(-5, 4.0, 1.0, person=2)]
    assert [one.value for one in observed(loud, 5, 10, RULES)] == [0.5]


def test_slower_counts_only_beyond_a_quarter() -> None:
    assert slower([1.1], [1.0]) == 0 and slower([2.0], [1.0]) == -1 and slower([1.0, 4.0], [2.0]) == 0


def test_the_fuse_needs_many_failures_in_several_chats_of_the_canary_alone() -> None:
    failing = [says(chat % 5, float(chat), 0.0) for chat in range(20)]
    assert fuse(failing, RULES) is not None
    assert fuse([replace(one, chat=1) for one in failing], RULES) is None
    assert fuse(failing + [replace(one, arm="active") for one in failing], RULES) is None
    assert fuse(failing[:9], RULES) is None


def trial(world: World, days: float, seed: int, **changed: object) -> Trial:
    given = outcomes(world, days, np.random.default_rng(seed))
    chats = len({one.chat for one in given["errors"] if one.arm == "canary"})
    return replace(Trial(given, 0.0, days * DAY, met=1.0, chats=chats), **changed)  # type: ignore[arg-type]


def ends(world: World, runs: int, days: float = 4.0) -> list[Decision]:
    return [assess(trial(world, days, seed)).decision for seed in range(runs)]


@pytest.mark.parametrize(
    "world",
    [
        World("equal", share=0.5, chats=60),
        World("moods swing", moody=0.3, share=0.3, chats=60),
        World("one person floods", flood=300, share=0.5, chats=60),
    ],
    ids=lambda world: world.name,
)
def test_an_equal_canary_is_hardly_ever_stopped_and_never_wins(world: World) -> None:
    """What a test shows once it shows at every later look: one look at the end stands for a look after each rating."""
    found = ends(world, 20)
    assert found.count(Decision.STOP_WORSE) <= 3 and found.count(Decision.WIN) <= 1


@pytest.mark.parametrize(
    "world",
    [
        World("ratings", rating=-0.3, share=0.5),
        World("emotion", fit=-0.2, share=0.5),
        World("failures", errors=-0.15, share=0.5),
        World("latency", slower=1.7, share=0.5),
    ],
    ids=lambda world: world.name,
)
def test_a_drop_in_each_measure_stops_it_and_is_named(world: World) -> None:
    finding = assess(trial(world, 4.0, 1))
    assert finding.decision is Decision.STOP_WORSE
    ru = {"ratings": "оценки", "emotion": "попадание", "failures": "ответы без ошибок", "latency": "время ответа"}
    assert any(reason.startswith(ru[world.name]) for reason in finding.reasons_ru)
    assert len(finding.reasons_en) == len(finding.reasons_ru)


BETTER = World("better", rating=0.25, fit=0.15, share=0.5)


def test_a_better_one_wins_when_there_is_enough_of_everything() -> None:
    good = trial(BETTER, 4.0, 1)
    assert assess(good).decision is Decision.WIN
    for less in ({"met": 0.5}, {"met": None}, {"chats": 10}, {"began": 3.5 * DAY}):
        assert assess(replace(good, **less)).decision is Decision.CONTINUE
    no_votes = replace(good, outcomes={**good.outcomes, "rating": []})
    assert assess(no_votes).decision is Decision.CONTINUE


def test_what_is_liked_for_being_new_alone_does_not_win() -> None:
    new = trial(World("new", novelty=0.3, share=0.5), 6.0, 3)
    assert assess(new).decision is not Decision.WIN


def test_nothing_shown_in_the_longest_time_is_for_a_person() -> None:
    finding = assess(replace(trial(World("few", chats=10), 15.0, 1), now=15 * DAY))
    assert finding.decision is Decision.STALE and "решите сами" in finding.reasons_ru[0]


def test_the_shares_of_error_are_one_whole() -> None:
    assert math.fsum(one.stop_share for one in MEASURES) == pytest.approx(1.0)
