"""The main result and the examples are chosen by rules."""

from dataclasses import replace

from tests.training.comparison import made
from training.comparison import choosing, words
from training.comparison.choosing import Shown


def shown(**scores: tuple[float | None, ...]) -> list[Shown]:
    return [Shown(key, dict(zip(("base", "one", "two"), own, strict=False))) for key, own in scores.items()]


def test_first_worst_and_furthest_apart_are_shown_once_each() -> None:
    given = shown(a=(0.5, 0.5), b=(0.9, 0.1), c=(0.0, 0.2), d=(0.1, 0.9), e=(0.5, 0.6))
    found = choosing.examples(given, 1)
    assert {rule: [one.key for one in own] for rule, own in found.items()} == {
        "first": ["a"],
        "worst": ["b"],
        "apart": ["d"],
    }


def test_worst_looks_at_trained_systems_and_ties_go_by_order() -> None:
    given = shown(a=(0.9, 0.9), b=(0.0, 0.5), c=(1.0, 0.5), d=(0.5, 0.6))
    assert [one.key for one in choosing.examples(given, 2)["worst"]] == ["c", "d"]
    assert [one.key for one in choosing.examples(given, 1)["worst"]] == ["b"]


def test_prompts_without_a_score_are_no_examples_of_a_rule() -> None:
    given = shown(a=(0.5, 0.5), b=(0.1, None), c=(None, None), d=(0.2, 0.3))
    found = choosing.examples(given, 1)
    assert [one.key for one in found["worst"]] == ["d"]
    assert found["apart"] == []


def test_main_result_tells_best_against_base_and_next_best() -> None:
    judged = made.judged()
    result = choosing.result(judged.found.table, judged.samples, judged.found.values)
    assert result is not None
    assert (result.column.name, result.best, result.second) == ("emotion_hit", "sft", "dpo")
    english, russian = (words.sentences(result, "base", language) for language in ("en", "ru"))
    assert "highest mean has sft" in english[0]
    assert english[1].startswith("sft is higher than base: +0.")
    assert "corrected for 2 methods p < 0.001" in english[1]
    assert english[2].startswith("sft and dpo are not told apart on 60 prompts")
    assert "не различить" in russian[2]


def test_few_prompts_are_told_in_words() -> None:
    judged = made.judged(12)
    result = choosing.result(judged.found.table, judged.samples, judged.found.values)
    assert result is not None
    assert words.sentences(result, "base", "en")[1].startswith("Too few prompts (12) to tell sft from base")


def test_headline_is_what_was_measured_for_all() -> None:
    judged = made.judged()
    judged.found.table.columns = [made.BLEURT, made.TOKENS]
    assert choosing.result(judged.found.table, judged.samples, judged.found.values) is None


def test_the_best_of_many_has_to_show_more() -> None:
    judged = made.judged()
    result = choosing.result(judged.found.table, judged.samples, judged.found.values)
    assert result is not None
    assert result.over_base is not None
    doubtful = replace(result, over_base=replace(result.over_base, p=0.03), compared=6)
    assert words.sentences(doubtful, "base", "en")[1].endswith("corrected for 6 methods p = 0.180, not shown")
    assert words.sentences(doubtful, "base", "ru")[1].endswith("с поправкой на 6 методов p = 0.180, не доказано")
