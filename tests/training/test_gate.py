"""The gate on candidates of known worth: what passes, what does not, and what an admin reads about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bench.gate import CLAIMS_ALONE, NULLS, Kind, better, draw, passed
from training.evaluation.judging.length_control import win_rate
from training.gate import Evidence, EvidenceError, GateRules, Prompt, Shown, Text, Verdict, decide
from training.gating.bounds import Gain, bounds, equal_length
from training.gating.evidence import Columns, columns

RULES = GateRules()
PROMPTS = 300


def evidence(kind: Kind, prompts: int = PROMPTS, seed: int = 1) -> Evidence:
    """Drawn evidence as rows."""
    drawn = draw(kind, prompts, np.random.default_rng(seed))

    def shown(side: int, place: int) -> Shown:
        return Shown(
            characters=int(drawn.length[side][place]),
            hit=drawn.hit[side][place],
            fault=drawn.fault[side][place],
            repetition=drawn.repetition[side][place],
            profane=drawn.profane[side][place],
            signs={name: float(pair[side][place]) for name, pair in drawn.signs.items()},
        )

    rows = [
        Prompt(
            key=f"{place:04}",
            emotion=drawn.emotions[place],
            incumbent=shown(0, place),
            candidate=shown(1, place),
            preference=drawn.preference[place],
            judge=drawn.judge[place],
        )
        for place in range(prompts)
    ]
    texts = [
        Text(key=str(place), incumbent_nats=before, candidate_nats=now, tokens=int(tokens))
        for place, (before, now, tokens) in enumerate(zip(*drawn.nats, drawn.tokens, strict=True))
    ]
    return Evidence(prompts=tuple(rows), texts=tuple(texts))


def failed(verdict: Verdict) -> set[str]:
    return {one.name for one in verdict.checks if one.required and not one.passed}


def changed(given: Evidence, change: Callable[[Shown], dict[str, object]], every: int = 1) -> Evidence:
    """The same with other candidate answers at every so many prompts."""
    rows = [
        row.model_copy(update={"candidate": row.candidate.model_copy(update=change(row.candidate))})
        if place % every == 0
        else row
        for place, row in enumerate(given.prompts)
    ]
    return given.model_copy(update={"prompts": tuple(rows)})


def test_a_better_candidate_passes_and_says_in_what() -> None:
    verdict = decide(evidence(better(0.12)))
    assert verdict.passed and failed(verdict) == set()
    said = verdict.text("ru")
    assert said.startswith("Новая версия прошла проверку.")
    assert "Попадание в эмоцию: " in said and " из 100 ответов, было " in said
    assert "Лучше: с поправкой на случай не меньше чем на" in said
    assert "at least" in verdict.text("en")


def test_an_equal_candidate_is_rejected_with_words() -> None:
    verdict = decide(evidence(Kind("equal"), 600))
    assert failed(verdict) == {"better"}
    assert "Ни в чём не доказано, что новая версия лучше." in verdict.reasons_ru
    assert any("Не доказано, что лучше: с поправкой на случай" in one for one in verdict.reasons_ru)
    assert "❌" in verdict.text("ru", whole=True) and "➖" in verdict.text("ru", whole=True)


def test_a_worse_candidate_is_rejected_for_what_is_worse() -> None:
    verdict = decide(evidence(Kind("worse", hit=-0.15, preference=-0.15, judge=-0.15)))
    assert failed(verdict) >= {"better", "emotion_hit", "preference", "judge"}
    assert any(
        one.startswith("Попадание в эмоцию") and "Возможно, хуже: потеря может доходить до" in one
        for one in verdict.reasons_ru
    )


def test_better_opinions_do_not_buy_lost_emotion() -> None:
    verdict = decide(evidence(Kind("emotionless", hit=-0.12, preference=0.2, judge=0.2)))
    assert not verdict.passed and "emotion_hit" in failed(verdict) and "better" not in failed(verdict)
    assert not any("Не доказано, что лучше" in one for one in verdict.reasons_ru)


@pytest.mark.parametrize("longer", [1.2, 1.35])
def test_a_candidate_that_is_only_longer_is_rejected(longer: float) -> None:
    """Preference model and judge like length: raw they prefer it, at equal length they do not."""
    given = evidence(Kind("longer", longer=longer, bias=1.5), 600)
    raw = np.mean([row.judge for row in given.prompts])
    assert raw > 0.55
    verdict = decide(given)
    assert not verdict.passed and "better" in failed(verdict)
    judge = next(one for one in verdict.checks if one.name == "judge_better")
    assert "при равной длине ответов преимущества нет" in judge.ru
    assert "where answers are equally long" in judge.en


def test_longer_everywhere_cannot_be_told_from_better() -> None:
    verdict = decide(evidence(Kind("twice", longer=2.2, bias=1.0, spread=0.1)))
    judge = next(one for one in verdict.checks if one.name == "judge_better")
    assert not judge.passed and "«лучше» не отличить от «длиннее»" in judge.ru
    assert {"better", "length"} <= failed(verdict)
    assert any("Слишком длинно" in one and "раза" in one for one in verdict.reasons_ru)


def test_better_and_somewhat_longer_still_passes() -> None:
    assert decide(evidence(replace(better(0.15), longer=1.1, bias=0.3))).passed


def test_a_forgetful_candidate_is_rejected() -> None:
    good = evidence(better(0.15))
    assert decide(good).passed
    verdict = decide(evidence(replace(better(0.15), forgetting=0.25)))
    assert failed(verdict) == {"perplexity"}
    assert any("Забывание языка" in one and "а допустимо 10 %" in one for one in verdict.reasons_ru)


def test_too_few_samples_are_told_in_words() -> None:
    good = evidence(better(0.3))
    few = decide(good.model_copy(update={"prompts": good.prompts[:40]}))
    assert not few.passed
    assert (
        "Слишком мало данных, чтобы судить: запросы с ответами обеих версий – 40, нужно хотя бы 100." in few.reasons_ru
    )
    assert any("Too little to judge by" in one for one in few.reasons_en)
    assert all(one.about == "sample" for one in few.checks)
    assert failed(decide(good.model_copy(update={"texts": good.texts[:5]}))) == {"texts"}
    assert failed(decide(Evidence())) == {"prompts", "emotions", "texts", "opinion"}


def test_an_opinion_is_needed_and_a_half_asked_judge_is_none() -> None:
    good = evidence(better(0.3))
    silent = [row.model_copy(update={"preference": None, "judge": None}) for row in good.prompts]
    without = good.model_copy(update={"prompts": tuple(silent)})
    verdict = decide(without)
    assert failed(verdict) == {"opinion"}
    assert "модел" in verdict.reasons_ru[0] and "судьёй" in verdict.reasons_ru[0]
    assert decide(without, GateRules(need_opinion=False)).passed
    begun = [row.model_copy(update={"judge": None}) if place >= 30 else row for place, row in enumerate(good.prompts)]
    assert failed(decide(good.model_copy(update={"prompts": tuple(begun)}))) == {"judge"}


@pytest.mark.parametrize(
    ("change", "every", "names"),
    [
        (lambda one: {"fault": 1.0}, 10, {"faults"}),
        (lambda one: {"profane": 1.0}, 15, {"profanity"}),
        (lambda one: {"crisis": 1.0}, 300, {"crisis"}),
        (lambda one: {"repetition": 0.2}, 2, {"repetition"}),
        (lambda one: {"signs": {**one.signs, "title_share": 0.3}}, 2, {"sign_title_share"}),
        (lambda one: {"signs": {**one.signs, "distinct1": 0.5}}, 1, {"sign_distinct1"}),
        (lambda one: {"signs": {**one.signs, "gap": 0.4}}, 1, {"sign_gap"}),
    ],
)
def test_what_must_not_get_worse_rejects_an_otherwise_better_one(
    change: Callable[[Shown], dict[str, object]], every: int, names: set[str]
) -> None:
    good = evidence(better(0.2))
    assert decide(good).passed
    verdict = decide(changed(good, change, every))
    assert failed(verdict) == names
    assert len(verdict.reasons_ru) == len(verdict.reasons_en) == len(names)


def test_one_emotion_that_collapses_is_named() -> None:
    good = evidence(better(0.2), 400)
    rows = [
        row.model_copy(update={"candidate": row.candidate.model_copy(update={"hit": 0.0})})
        if row.emotion == "fear"
        else row
        for row in good.prompts
    ]
    verdict = decide(good.model_copy(update={"prompts": tuple(rows)}))
    assert "presets" in failed(verdict)
    assert any("fear (−" in one for one in verdict.reasons_ru)


def test_no_failure_seen_is_not_no_failure() -> None:
    """Without a single fault the bound is the rule of three's, about 3 in n."""
    clean = changed(evidence(better(0.2), 200), lambda one: {"fault": 0.0})
    rows = [
        row.model_copy(update={"incumbent": row.incumbent.model_copy(update={"fault": 0.0})}) for row in clean.prompts
    ]
    verdict = decide(clean.model_copy(update={"prompts": tuple(rows)}))
    faults = next(one for one in verdict.checks if one.name == "faults")
    assert faults.bound == pytest.approx(3 / 200, rel=0.4)


def test_a_key_that_stands_twice_is_refused() -> None:
    row = evidence(Kind("equal"), 2).prompts[0]
    with pytest.raises(EvidenceError, match="stands twice"):
        decide(Evidence(prompts=(row, row)))


def test_verdicts_and_evidence_are_data() -> None:
    given = evidence(better(0.2), 120)
    assert Evidence.model_validate_json(given.model_dump_json()) == given
    verdict = decide(given)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@given(seed=some.integers(0, 10_000), points=some.sampled_from([0.0, 0.05, 0.1]))
@settings(max_examples=15, deadline=None)
def test_the_order_of_rows_means_nothing(seed: int, points: float) -> None:
    one = evidence(better(points), 110, seed)
    random = np.random.default_rng(seed)
    rows = [one.prompts[place] for place in random.permutation(len(one.prompts))]
    texts = [one.texts[place] for place in random.permutation(len(one.texts))]
    assert decide(Evidence(prompts=tuple(rows), texts=tuple(texts))) == decide(one)


# Column → whether more of it is worse for the candidate.
WORSENED = {
    "hit": False,
    "fault": True,
    "repetition": True,
    "profane": True,
    "crisis": True,
    "preference": False,
    "judge": False,
    "nats": True,
    "title_share": True,
    "distinct1": False,
    "gap": True,
    "emotion_hit": False,
}


def worsened(given: Columns, name: str, share: float, random: np.random.Generator) -> Columns:
    """The candidate does worse in one column at a share of its places."""
    alone = name in ("preference", "judge")
    pair: Any = given.signs[name] if name in given.signs else getattr(given, name)
    values = pair.copy() if alone else pair[1].copy()
    places = random.random(len(values)) < share
    if name == "nats":
        values[places] *= random.uniform(1, 1.5, places.sum())
    else:
        towards = 1.0 if WORSENED[name] else 0.0
        values[places] += random.uniform(0, 1, places.sum()) * (towards - values[places])
    told: Any = values if alone else (pair[0], values)
    new: dict[str, Any] = {"signs": {**given.signs, name: told}} if name in given.signs else {name: told}
    return replace(given, **new)


@given(
    seed=some.integers(0, 10_000),
    points=some.sampled_from([0.0, 0.04, 0.08, 0.12]),
    names=some.lists(some.sampled_from(sorted(WORSENED)), min_size=1, max_size=3),
    share=some.floats(0.005, 1),
)
@settings(max_examples=100, deadline=None)
def test_getting_worse_never_turns_a_rejection_into_a_pass(
    seed: int, points: float, names: list[str], share: float
) -> None:
    from training.gate import verdict

    random = np.random.default_rng(seed)
    before = draw(better(points), 110, random)
    after = before
    for name in names:
        after = worsened(after, name, share, random)
    was, now = verdict(before, RULES), verdict(after, RULES)
    assert was.passed or not now.passed
    passing = {one.name for one in was.checks if one.passed}
    assert {one.name for one in now.checks if one.passed} <= passing


@pytest.mark.parametrize("kind", [NULLS[0], NULLS[1], NULLS[-1]], ids=lambda kind: kind.name)
def test_at_most_one_in_twenty_candidates_that_are_no_better_passes(kind: Kind) -> None:
    """By the claims alone: with the other checks, which can only reject, even fewer do."""
    assert passed(kind, 120, 500, CLAIMS_ALONE) / 500 <= 0.05


def test_clearly_better_candidates_mostly_pass() -> None:
    assert passed(better(0.15), 200, 60, RULES) >= 45


def test_bounds_of_a_mean_hold_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(3)
    missed = 0
    for _ in range(400):
        values = random.choice([-1.0, 0.0, 1.0], size=60, p=[0.1, 0.6, 0.3])
        missed += bounds([Gain(values, 0.05)])[0].low > 0.2
    assert 0.02 <= missed / 400 <= 0.085


def test_weights_make_lengths_equal_and_agree_with_the_fitted_win_rate() -> None:
    random = np.random.default_rng(4)
    mine, theirs = random.lognormal(4.7, 0.4, 3000).round(), random.lognormal(4.5, 0.4, 3000).round()
    pull = np.tanh((mine - theirs) / np.std(mine - theirs))
    liked = (random.random(3000) < 1 / (1 + np.exp(-(0.3 + 1.2 * pull)))).astype(float)
    weights = equal_length(mine, theirs, 50)
    assert weights is not None and weights.min() >= 0 and weights.mean() == pytest.approx(1)
    assert np.average(np.sign(mine - theirs), weights=weights) == pytest.approx(0, abs=0.03)
    fitted = win_rate(liked.tolist(), mine.astype(int).tolist(), theirs.astype(int).tolist()).mean
    assert liked.mean() > fitted + 0.03
    assert np.average(liked, weights=weights) == pytest.approx(fitted, abs=0.03)


def test_columns_come_in_the_order_of_keys() -> None:
    one = evidence(Kind("equal"), 5)
    assert columns(one).length[0].tolist() == columns(Evidence(prompts=one.prompts[::-1])).length[0].tolist()
