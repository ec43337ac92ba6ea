"""People's ratings: published tables, stars with intervals, agreement, differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from training.evaluation.people import report
from training.evaluation.people.agreement import alpha
from training.evaluation.people.opinions import WEIGHTS, Opinion
from training.evaluation.people.published import check
from training.evaluation.people.scores import Standing, of_counts, standings
from training.evaluation.people.versus import groups, versus
from training.evaluation.people.versus import of_counts as values_of
from training.evaluation.statistics import Interval

GPTJ_CONTENT = (18, 31, 29, 29, 17)
LLAMA_STRUCTURE = (8, 18, 25, 34, 39)
LLAMA_STYLE = (9, 14, 30, 33, 37)


def opinion(system: str, person: str, answer: str = "", **stars: int) -> Opinion:
    return Opinion.model_validate({"system": system, "person": person, "answer": answer, "stars": stars or None})


def crowd(system: str, means: Sequence[float], people: int = 60, seed: int = 0) -> list[Opinion]:
    """People who give the four criteria about these stars, each with a leniency of their own."""
    draw = np.random.default_rng(seed)
    found = []
    for person in range(people):
        lenient = draw.normal(0, 0.7)
        stars = {
            name: int(np.clip(round(mean + lenient + draw.normal(0, 0.6)), 1, 5))
            for name, mean in zip(WEIGHTS, means, strict=True)
        }
        found.append(opinion(system, f"p{person}", f"{system}{person}", **stars))
    return found


@pytest.mark.parametrize(("counts", "mean"), [(GPTJ_CONTENT, 2.9677), (LLAMA_STRUCTURE, 3.6290)])
def test_published_means_follow_from_their_counts(counts: tuple[int, ...], mean: float) -> None:
    found = check(counts, mean)
    assert round(found.mean, 4) == mean
    assert found.follows and not found.slips
    assert "124 answers" in found.words() and "as published" in found.words()


def test_the_published_style_of_llama_does_not_follow_and_one_more_five_explains_it() -> None:
    found = check(LLAMA_STYLE, 3.6210)
    assert round(found.mean, 4) == 3.6098 and not found.follows
    assert found.words() == (
        "9, 14, 30, 33, 37 (123 answers) give 444/123 = 3.6098, not the published 3.6210. "
        "3.6210 would follow with one more answer of 5: 449/124 from 9, 14, 30, 33, 38."
    )
    assert "добавить один ответ с оценкой 5: 449/124" in found.words("ru")
    assert [slip.counts for slip in found.slips] == [(9, 14, 30, 33, 38)]


def test_other_slips_are_found_and_large_ones_are_not_guessed_at() -> None:
    assert "one answer of 1 fewer: 9/2 from 0, 0, 0, 1, 1" in check((1, 0, 0, 1, 1), 4.5, 1).words()
    assert "one 1 read as 5: 10/2 from 0, 0, 0, 0, 2" in check((1, 0, 0, 0, 1), 5.0, 1).words()
    assert "No single rating" in check(LLAMA_STYLE, 4.5).words()
    with pytest.raises(ValueError, match="five numbers"):
        check((1, 2, 3), 2.0)


def test_counts_give_means_and_shares_with_intervals() -> None:
    found = of_counts("GPT-J", {"content": GPTJ_CONTENT}).criteria["content"]
    assert round(found.mean.mean, 4) == 2.9677
    assert found.positive.mean == pytest.approx(75 / 124) and found.negative.mean == pytest.approx(49 / 124)
    assert (found.mean.n, found.ratings) == (124, 124)
    # The normal approximation: 2.9677 ± 1.96 · 1.2783 / √124.
    assert (found.mean.low, found.mean.high) == pytest.approx((2.743, 3.193), abs=0.03)
    assert found.negative.low < found.negative.mean < found.negative.high


def test_the_total_weighs_all_four_criteria_or_is_told_absent() -> None:
    each = {"content": (0, 0, 0, 0, 30), "grammar": (30, 0, 0, 0, 0), "structure": (0, 30, 0, 0, 0)}
    assert of_counts("a", each).total is None
    assert of_counts("a", each).why_no_total == "no ratings of style"
    whole = of_counts("a", {**each, "style": (0, 0, 30, 0, 0)})
    assert whole.total is not None
    assert whole.total.mean == pytest.approx(0.45 * 5 + 0.20 * 1 + 0.20 * 2 + 0.15 * 3)
    with pytest.raises(ValueError, match="five numbers"):
        of_counts("a", {"content": (1, 2, 3, 4)})


def test_single_ratings_give_what_their_counts_give() -> None:
    told = [
        opinion("a", f"p{number}", content=star)
        for number, star in enumerate(star for star, n in enumerate(GPTJ_CONTENT, 1) for _ in range(n))
    ]
    found = standings(told)[0].criteria["content"]
    counted = of_counts("a", {"content": GPTJ_CONTENT}).criteria["content"]
    assert found.counts == counted.counts == GPTJ_CONTENT
    assert found.mean.mean == counted.mean.mean
    assert found.mean.low == pytest.approx(counted.mean.low, abs=0.04)


def total(standing: Standing) -> Interval:
    assert standing.total is not None
    return standing.total


def test_one_person_with_many_ratings_does_not_make_us_surer() -> None:
    many = [opinion("a", f"p{number}", content=1 + number % 5) for number in range(100)]
    few = [opinion("a", f"p{number % 5}", content=1 + number % 5) for number in range(100)]
    wide, narrow = standings(few)[0].criteria["content"].mean, standings(many)[0].criteria["content"].mean
    assert wide.mean == narrow.mean
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert wide.few and wide.n == 5


def test_thumbs_are_a_share_of_their_own() -> None:
    told = [Opinion(system="a", person=str(n), thumb=1 if n % 4 else -1) for n in range(40)]
    found = standings(told)[0]
    assert found.liked is not None and found.liked.mean == 0.75
    assert found.positive is None and found.total is None


def test_a_real_difference_is_found_by_people_who_rated_both() -> None:
    told = crowd("base", (3, 3, 3, 3)) + crowd("lora", (3.5, 3.4, 3.5, 3.4))
    found = versus(told, "lora", "base")
    assert found.paired and found.words() == "higher"
    assert found.difference.interval.low > 0.2
    assert versus(told, "base", "lora").words("ru") == "ниже"


def test_other_people_are_compared_as_groups_and_few_are_told() -> None:
    apart = crowd("base", (3, 3, 3, 3)) + [
        one.model_copy(update={"person": "other" + one.person}) for one in crowd("lora", (4, 4, 4, 4))
    ]
    found = versus(apart, "lora", "base")
    assert not found.paired and found.words() == "higher"
    few = versus(crowd("a", (2, 2, 2, 2), 8) + crowd("b", (5, 5, 5, 5), 8), "b", "a")
    assert few.words() == "too few people to tell: 8, at least 20 are needed"
    assert "слишком мало людей" in few.words("ru")
    with pytest.raises(ValueError, match="no ratings"):
        versus(apart, "lora", "nobody")


def test_equal_groups_are_called_different_rarely() -> None:
    draw = np.random.default_rng(0)
    wrong = sum(
        groups(draw.integers(1, 6, 30).tolist(), draw.integers(1, 6, 30).tolist(), seed).p < 0.05 for seed in range(40)
    )
    assert wrong <= 6


def test_published_rows_differ_as_groups_of_ratings() -> None:
    found = groups(values_of(LLAMA_STRUCTURE), values_of(GPTJ_CONTENT))
    assert found.verdict == "higher" and found.interval.mean == pytest.approx(450 / 124 - 368 / 124)


def test_alpha_is_one_where_all_agree_and_about_zero_by_chance() -> None:
    agreed = [opinion("a", person, str(n), content=1 + n % 5) for n in range(30) for person in ("x", "y", "z")]
    found = alpha(agreed, "content")
    assert isinstance(found, Interval) and found.mean == 1.0 and found.n == 30
    draw = np.random.default_rng(0)
    random = [opinion("a", p, str(n), content=int(draw.integers(1, 6))) for n in range(200) for p in ("x", "y", "z")]
    found = alpha(random, "content")
    assert isinstance(found, Interval) and found.low < 0 < found.high and abs(found.mean) < 0.12


def test_alpha_by_hand() -> None:
    """Two raters, values 1 and 2 only: one answer (1, 1), one (1, 2), one (2, 2). With two categories the ordinal
    distance is a constant: D_observed = 1/3, D_expected = 2·3·3/(6·5) = 3/5, alpha = 1 − (1/3)/(3/5) = 4/9."""
    told = [
        opinion("a", person, answer, style=stars)
        for answer, both in (("k", (1, 1)), ("l", (1, 2)), ("m", (2, 2)))
        for person, stars in zip("xy", both, strict=True)
    ]
    found = alpha(told, "style")
    assert isinstance(found, Interval) and found.mean == pytest.approx(4 / 9)


def test_alpha_that_cannot_be_told_has_a_reason() -> None:
    alone = [opinion("a", "x", str(n), content=3) for n in range(5)]
    assert alpha(alone, "content") == "no answer was rated by two people"
    same = [opinion("a", person, str(n), content=5) for n in range(5) for person in "xy"]
    assert "everybody gave the same" in str(alpha(same, "content"))


def test_tables_tell_everything_in_both_languages() -> None:
    told = crowd("base", (3, 3, 3, 3), 30) + crowd("lo|ra", (4, 4, 4, 4), 6)
    found = standings(told)
    english, russian = report.stars(found), report.stars(found, "ru")
    assert "too few people: 6" in english and "слишком мало людей: 6" in russian
    assert "взвешенный итог" in russian and "lo\\|ra" in english
    assert english.count("\n| base |") == 5
    lines = report.agreement({"content": "no answer was rated by two people"}, "ru")
    assert "нет данных" in lines


@pytest.mark.parametrize(
    "wrong", [{"system": ""}, {"person": ""}, {"stars": {"content": 6}}, {"thumb": 0}, {"mood": 1}]
)
def test_opinions_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Opinion.model_validate({"system": "a", "person": "p", **wrong})
