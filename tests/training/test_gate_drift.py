"""Small losses of many refits do not add up: the gate holds each one against the version that the slot began with."""

from __future__ import annotations

import numpy as np
import pytest

from bench import drift
from bench.drift import LIKED, STEPS, Worth, chain
from bench.gate import better
from tests.training.test_gate import evidence, failed
from training.gate import Evidence, GateRules, decide

PROMPTS = 400


def begun_with(given: Evidence, perplexity: float = 1.0, hit: float | None = None) -> Evidence:
    """The same evidence with an anchor whose perplexity is so many times the incumbent's."""
    prompts = [
        row.model_copy(
            update={"anchor": row.incumbent.model_copy(update={} if hit is None else {"hit": hit})},
        )
        for row in given.prompts
    ]
    texts = [
        one.model_copy(update={"anchor_nats": max(0.0, one.incumbent_nats + one.tokens * np.log(perplexity))})
        for one in given.texts
    ]
    return given.model_copy(update={"prompts": tuple(prompts), "texts": tuple(texts)})


@pytest.mark.parametrize("loss", [one for one in STEPS if one != "nothing"])
def test_ten_refits_that_each_lose_a_little_lose_no_more_than_one_may(loss: str) -> None:
    def ended(anchor: bool) -> list[tuple[Worth, int]]:
        return [chain(STEPS[loss], PROMPTS, np.random.default_rng(seed), anchor) for seed in range(2)]

    rules = GateRules()

    def lost(one: Worth) -> bool:
        within = np.expm1(one.nats) < rules.most_drift and one.longer < rules.most_longer_ever
        return not (within and one.hit > -rules.margin_emotion and one.faults < rules.margin_faults)

    assert any(lost(one) for one, _ in ended(anchor=False)), "without an anchor it piles up"
    assert all(passed >= 1 and not lost(one) for one, passed in ended(anchor=True))


def test_refits_that_lose_nothing_are_not_hindered() -> None:
    ended, passed = chain(LIKED, PROMPTS, np.random.default_rng(2), anchor=True)
    _, alone = chain(LIKED, PROMPTS, np.random.default_rng(2), anchor=False)
    assert passed >= 0.6 * alone and ended.liked > 0


def test_the_verdict_says_that_it_is_the_first_version_that_was_lost() -> None:
    verdict = decide(begun_with(evidence(better(0.12)), perplexity=0.75))
    assert failed(verdict) == {"anchor_perplexity"}
    assert verdict.reasons_ru[0].startswith("По сравнению с исходной версией. Забывание языка")
    assert "Against the first version. Forgetting" in verdict.text("en")
    assert decide(begun_with(evidence(better(0.12)))).passed


def test_an_emotion_that_was_lost_long_ago_is_still_missed() -> None:
    verdict = decide(begun_with(evidence(better(0.12)), hit=1.0))
    assert {"anchor_emotion_hit"} <= failed(verdict) <= {"anchor_emotion_hit", "anchor_presets"}


def test_where_the_incumbent_is_the_first_version_nothing_is_compared_twice() -> None:
    assert not any(one.name.startswith("anchor") for one in decide(evidence(better(0.12))).checks)


def test_the_bench_prints_a_line_with_and_without_anchor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["drift", "--runs", "1", "--prompts", "120"])
    monkeypatch.setattr(drift, "REFITS", 2)
    drift.main()
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * len(STEPS)


def test_what_a_version_is_worth_adds_up() -> None:
    assert Worth(hit=0.1, longer=1.5).after(Worth(hit=-0.2, longer=2.0)) == Worth(hit=-0.1, longer=3.0)
