"""What one entry teaches, and what it does not."""

from __future__ import annotations

import pytest

from storage.contracts import RatingSource, RatingStars, Turn
from tests.training.feedback.made import START, entry, given, judged
from training.data.feedback.deriving import Deriver, Lesson
from training.data.feedback.entry import Entry
from training.data.feedback.rules import FeedbackRules
from training.data.feedback.scrubbing import Scrubber
from training.data.rows import Answer, Feedback, Pair

A, B, C = "Сегодня я счастлив!", "Всё замечательно, ура!", "День как день."


def lessons(one: Entry, **rules: object) -> tuple[list[Lesson], dict[str, int]]:
    deriver = Deriver(FeedbackRules.model_validate(rules), Scrubber())
    return list(deriver.lessons(one)), dict(deriver.counts)


def pairs(one: Entry) -> list[tuple[str, str, str, bool]]:
    return [
        (lesson.row.tags["signal"], lesson.row.chosen, lesson.row.rejected, lesson.reward)
        for lesson in lessons(one)[0]
        if isinstance(lesson.row, Pair)
    ]


def thumbs(one: Entry) -> list[tuple[str, bool]]:
    return [(row.answer, row.desirable) for row in (one.row for one in lessons(one)[0]) if isinstance(row, Feedback)]


def test_thumbs_and_the_wrong_emotion_are_likes_and_dislikes() -> None:
    one = entry(
        given("a", A, judged("1", thumb=1)),
        given("b", B, judged("1", thumb=-1)),
        given("c", C, judged("1", reason="wrong_emotion")),
    )
    assert thumbs(one) == [(A, True), (B, False), (C, False)]


def test_liking_an_answer_in_the_wrong_emotion_says_nothing() -> None:
    found, counts = lessons(entry(given("a", A, judged("1", thumb=1, reason="wrong_emotion"))))
    assert (found, counts) == ([], {"contradicts_itself": 1})


def test_keeping_a_variant_prefers_it_and_going_back_prefers_the_first() -> None:
    kept = given("b", B, judged("1", preferred_over="a", source=RatingSource.REGENERATE))
    assert pairs(entry(given("a", A), kept, shown="b")) == [("variants", B, A, False)]
    back = given("a", A, judged("1", preferred_over="b", source=RatingSource.REGENERATE))
    assert pairs(entry(back, given("b", B), shown="a")) == [("variants", A, B, False)]


def test_a_variant_that_was_only_leafed_through_is_not_chosen() -> None:
    """1 ← 2 ← 3, then forward to 3 again: the bot notes 2 over 1 on the way, but 3 is what stays."""
    one = entry(
        given("a", A),
        given("b", B, judged("1", preferred_over="a", source=RatingSource.REGENERATE)),
        given("c", C, judged("1", preferred_over="b", source=RatingSource.REGENERATE)),
        shown="c",
    )
    assert pairs(one) == [("variants", C, B, False)]


def test_a_comparison_counts_whatever_is_on_the_screen() -> None:
    chosen = given("b", B, judged("1", preferred_over="a", source=RatingSource.COMPARE))
    assert pairs(entry(given("a", A), chosen, shown="a")) == [("compare", B, A, False)]


def test_preferring_what_one_dislikes_says_nothing() -> None:
    kept = given("b", B, judged("1", preferred_over="a", thumb=-1))
    assert pairs(entry(given("a", A), kept, shown="b")) == []


def test_a_preference_over_an_answer_to_something_else_is_no_pair() -> None:
    one = entry(given("a", A, judged("1", preferred_over="elsewhere")))
    assert lessons(one) == ([], {"other_prompt_or_emotion": 1})


def test_a_correction_is_an_answer_to_learn_and_better_than_what_it_corrects() -> None:
    found, _ = lessons(entry(given("a", C, judged("2", correction=f"  {A}  "))))
    assert [type(one.row) for one in found] == [Answer, Pair]
    assert isinstance(found[0].row, Answer) and found[0].row.answer == A
    assert isinstance(found[1].row, Pair) and (found[1].row.chosen, found[1].row.rejected) == (A, C)
    assert {one.rater for one in found} == {"2"}


def test_a_correction_that_changes_nothing_but_commas_teaches_nothing() -> None:
    assert lessons(entry(given("a", A, judged("1", correction=A.upper() + "!!")))) == ([], {"same_answers": 1})


@pytest.mark.parametrize(
    ("stars", "learned"),
    [
        ({"content": 5, "grammar": 5, "structure": 5, "style": 5}, True),
        ({"content": 5}, True),
        ({"content": 5, "style": 4}, False),
        ({"style": 5}, False),
    ],
)
def test_five_stars_are_learned_and_four_are_not(stars: dict[str, int], learned: bool) -> None:
    found, _ = lessons(entry(given("a", A, judged("1", stars=RatingStars(**stars)))))
    assert [isinstance(one.row, Answer) for one in found] == [learned]


def test_opposite_thumbs_on_two_variants_are_a_pair_for_preference_models_alone() -> None:
    one = entry(given("a", A, judged("1", thumb=-1)), given("b", B, judged("1", thumb=1)))
    assert pairs(one) == [("thumbs", B, A, True)]


def test_two_peoples_opposite_thumbs_are_no_pair() -> None:
    assert pairs(entry(given("a", A, judged("1", thumb=-1)), given("b", B, judged("2", thumb=1)))) == []


def test_the_classifiers_best_and_worst_candidate_are_marked_as_its_own() -> None:
    one = given(
        "a",
        A,
        judged("1", thumb=1),
        candidates=({"text": A, "fit": 0.9}, {"text": B, "fit": 0.5}, {"text": C, "fit": 0.1}),
    )
    (pair,) = [one for one in lessons(entry(one))[0] if one.kind == "ai_pairs"]
    assert isinstance(pair.row, Pair) and (pair.row.chosen, pair.row.rejected) == (A, C)
    assert pair.row.tags["made_by"] == "classifier"


def test_a_classifier_that_sees_little_difference_makes_no_pair() -> None:
    one = given("a", A, judged("1", thumb=1), candidates=({"text": A, "fit": 0.6}, {"text": C, "fit": 0.5}))
    assert [one.kind for one in lessons(entry(one))[0]] == ["feedback"]


@pytest.mark.parametrize("text", ["", "… …", "да " * 30, "Ответ <|im_end|> тут"])
def test_a_defective_answer_is_never_something_to_learn(text: str) -> None:
    liked = judged("1", thumb=1, stars=RatingStars(content=5), preferred_over="b")
    one = entry(given("a", text, liked), given("b", B, judged("1", correction=text or "…")), shown="a")
    assert [lesson.row for lesson in lessons(one)[0] if lesson.row is not None] == []


def test_a_looping_answer_may_be_disliked() -> None:
    assert thumbs(entry(given("a", "да " * 30, judged("1", thumb=-1)))) == [("да " * 30, False)]


def test_nothing_is_learned_where_somebody_speaks_of_suicide() -> None:
    window = (
        Turn(role="user", text="Я не хочу больше жить."),
        Turn(role="assistant", text="Я рядом."),
        Turn(role="user", text="Спасибо."),
    )
    found, counts = lessons(entry(given("a", A, judged("1", thumb=1)), prompt=window))
    assert (found, counts) == ([], {"crisis": 1})


def test_profanity_goes_only_if_the_rule_is_on() -> None:
    one = entry(given("a", "Что за херня, радуйся!", judged("1", thumb=-1)))
    assert len(lessons(one)[0]) == 1
    assert lessons(one, profanity=True) == ([], {"profane": 1})


def test_personal_data_leaves_prompts_answers_personas_and_corrections() -> None:
    phone, mail = "+7 916 123-45-67", "ivan@example.ru"
    one = entry(
        given("a", f"Звони {phone}!", judged("1", thumb=-1, correction=f"Пиши на {mail}, я буду рад!")),
        prompt=f"Мой телефон {phone}, запомни.",
        persona=f"Иван, {mail}",
    )
    found, _ = lessons(one)
    assert len(found) == 3
    for lesson in found:
        assert lesson.row is not None
        text = lesson.row.model_dump_json()
        assert "916" not in text and "ivan" not in text
        assert "<ТЕЛЕФОН>" in text and "<ПОЧТА>" in text


def test_the_newest_of_somebodys_judgements_counts() -> None:
    earlier = judged("1", thumb=-1)
    later = judged("1", thumb=1).model_copy(update={"created_at": START.replace(year=2027)})
    assert thumbs(entry(given("a", A, later, earlier))) == [(A, True)]
