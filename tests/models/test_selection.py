"""Which answers are refused, which is sent, and when another round is worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.jobs import bolder
from models.selection import Choice, Defect, Scored, choose, defect, looping, try_again, whole
from storage.contracts import Candidate, Sampling


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Defect.EMPTY),
        (" \n ", Defect.EMPTY),
        ("...", Defect.EMPTY),
        ("Да, это здорово!", None),
        ("Да, да, да!", None),
        ("Ха-ха-ха, ну ты даёшь!", None),
        ("Ура-а-а! Молодец! Молодец!", None),
        ("😊", None),
        ("А-а-а-а-а! Ха-ха-ха-ха-ха!", None),
        ("да да да да да", Defect.LOOPING),
        ("я не знаю я не знаю я не знаю", Defect.LOOPING),
        ("Мне очень жаль. Ну и что. Мне очень жаль. Так бывает. Мне очень жаль.", Defect.LOOPING),
        ("ааааааааааааааааа", Defect.LOOPING),
        ("Ну вот...............", None),
        ("Привет <|im_end|>", Defect.MARKUP),
        ("Хорошо\nЧеловек: а ты?", Defect.MARKUP),
        ("Код: ```print", Defect.MARKUP),
        ("Плох\ufffd", Defect.MARKUP),
        ("Меня сегодня повысили", Defect.ECHO),
        ("меня сегодня повысили!!", Defect.ECHO),
        ("Меня сегодня повысили? Вот это да!", None),
    ],
)
def test_defects(text: str, expected: Defect | None) -> None:
    assert defect(text, "Меня сегодня повысили!") is expected


def test_at_the_strongest_step_an_unmistakable_emotion_goes_before_relevance() -> None:
    def one(text: str, fit: float, relevance: float | None, fits: bool = True, finish: str = "stop") -> Scored:
        candidate = Candidate.model_validate({"text": text, "fit": fit, "relevance": relevance, "finish": finish})
        return Scored(candidate, fits, None)

    found = [
        one("near", 0.93, 0.5),
        one("sure", 0.97, 0.1),
        one("faint", 0.6, 2.0),
        one("cut", 0.99, 3.0, finish="length"),
    ]
    for intensity, wanted in ((1, "faint"), (2, "faint"), (3, "near")):
        choice = choose(found, intensity=intensity)
        assert choice.candidate is not None and choice.candidate.text == wanted
    # Nothing fits, or nobody knows the relevance: the surest one at every step.
    for part in (
        [one("low", 0.1, 9.0, fits=False), one("high", 0.2, 0.0, fits=False)],
        [one("low", 0.5, None), one("high", 0.52, None)],
    ):
        for intensity in (1, 2, 3):
            choice = choose(part, intensity=intensity)
            assert choice.candidate is not None and choice.candidate.text == "high"


def test_a_greeting_may_be_returned() -> None:
    assert defect("Доброе утро!", "Доброе утро") is None


@given(st.lists(st.sampled_from(["раз", "два", "три"]), min_size=1, max_size=5), st.integers(4, 6))
def test_any_phrase_repeated_over_and_over_is_a_loop(phrase: list[str], times: int) -> None:
    assert looping(" ".join(phrase * times))


@pytest.mark.parametrize(
    ("text", "stuck"), [("а" + "иж" * 20, True), ("ой" * 12, True), ("Ха" + "ха" * 8 + "!", False)]
)
def test_letters_repeated_within_a_word_are_a_loop_and_laughing_is_not(text: str, stuck: bool) -> None:
    assert looping(text) is stuck


def scored(text: str, fit: float, fits: bool | None, fault: Defect | None = None) -> Scored:
    return Scored(Candidate(text=text, fit=fit), fits, fault)


def test_a_fitting_candidate_wins_over_a_higher_number_that_does_not_fit() -> None:
    # thresholds differ by label: 0.4 may fit where 0.6 of another label does not
    choice = choose([scored("a", 0.6, False), scored("b", 0.4, True), scored("c", 0.45, True)])
    assert (choice.candidate and choice.candidate.text, choice.fit_ok) == ("c", True)


def test_a_clean_candidate_wins_over_a_fitting_defective_one() -> None:
    choice = choose([scored("a", 0.9, True, Defect.LOOPING), scored("b", 0.1, False)])
    assert (choice.candidate and choice.candidate.text, choice.fit_ok) == ("b", False)


def test_somebody_who_wants_another_answer_gets_a_new_one_if_there_is_any() -> None:
    same, new = scored("Рад за тебя!", 0.9, True), scored("Ура, молодец!", 0.2, False)
    choice = choose([same, new], ["рад за тебя"])
    assert (choice.candidate and choice.candidate.text, choice.fit_ok, choice.again) == ("Ура, молодец!", False, False)
    choice = choose([same], ["Рад за тебя!"])
    assert (choice.candidate and choice.candidate.text, choice.again) == ("Рад за тебя!", True)
    assert try_again(choice, 1, 1, 60, 2) and not try_again(choice, 2, 1, 60, 2)


def test_what_was_said_earlier_in_the_dialogue_is_said_again_only_if_nothing_else_fits() -> None:
    same, new, unfit = scored("Рад за тебя!", 0.9, True), scored("Ура, молодец!", 0.6, True), scored("Увы.", 0.1, False)
    choice = choose([same, unfit, new], said=["рад за тебя"])
    assert (choice.candidate and choice.candidate.text, choice.again) == ("Ура, молодец!", False)
    choice = choose([same, unfit], said=["Рад за тебя!"])
    assert (choice.candidate and choice.candidate.text, choice.fit_ok, choice.again) == ("Рад за тебя!", True, True)
    assert try_again(choice, 1, 1, 60, 2)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("Ох! Как же мне тебя жаль, друг.", "other"),
        ("Как же мне тебя жаль, друг! И что потом?", "other"),
        ("Вот это да! А я тебя понимаю.", "same"),
        ("Мне тебя жаль.", "same"),
    ],
)
def test_a_sentence_that_was_said_is_not_said_again_but_a_short_one_may_be(before: str, expected: str) -> None:
    texts = {"same": "Вот это да! Как же мне тебя жаль, друг.", "other": "Сочувствую всем сердцем."}
    choice = choose([scored(texts["same"], 0.9, True), scored(texts["other"], 0.8, True)], said=[before])
    assert choice.candidate and choice.candidate.text == texts[expected]
    assert not choice.again


def test_each_further_answer_is_drawn_more_boldly() -> None:
    calm = Sampling(temperature=0.4)
    assert bolder(calm, 0) is calm
    assert [bolder(calm, seen).temperature for seen in (1, 2, 5)] == pytest.approx([0.65, 0.9, 1.0])
    assert bolder(Sampling(temperature=1.2), 2).temperature == 1.2


def test_nothing_clean_gives_nothing() -> None:
    assert choose([scored("", 0.9, True, Defect.EMPTY)]) == Choice(None, None)


def test_unchecked_answers_keep_their_order() -> None:
    choice = choose([scored("a", 0.0, None), scored("b", 0.0, None)])
    assert (choice.candidate and choice.candidate.text, choice.fit_ok) == ("a", None)


@pytest.mark.parametrize(
    ("fits", "expected"), [((True, True), "whole"), ((False, False), "whole"), ((True, False), "cut")]
)
def test_a_whole_answer_wins_over_a_cut_one_unless_only_the_cut_one_fits(
    fits: tuple[bool, bool], expected: str
) -> None:
    cut = Scored(Candidate(text="cut", fit=0.9, finish="length"), fits[0], None)
    choice = choose([cut, Scored(Candidate(text="whole", fit=0.8), fits[1], None)])
    assert choice.candidate and choice.candidate.text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Как здорово! Я очень рад за те", "Как здорово!"),
        ("Ура. Вот это да… И ещё", "Ура. Вот это да…"),
        ("Он сказал: «Да!» А потом ушё", "Он сказал: «Да!»"),
        ("Ну что ж... Посмотри", "Ну что ж..."),
        ("Правда?! Не мож", "Правда?!"),
        ("Ни одного полного предложения зде", "Ни одного полного предложения зде"),
        ("Это значит, т. е. почти", "Это значит, т. е. почти"),
        ("Сделай так: 1. Встань", "Сделай так: 1. Встань"),
        ("Всё уже сказано.", "Всё уже сказано."),
        ("Зайди на сайт.ру и посмотри", "Зайди на сайт.ру и посмотри"),
        ("Я не знаю. Я не знаю. Я не знаю. Я не", "Я не знаю. Я не знаю. Я не знаю. Я не"),
    ],
)
def test_a_cut_answer_ends_with_its_last_full_sentence(text: str, expected: str) -> None:
    assert whole(text) == expected


def test_rounds_are_bounded_by_count_and_by_time() -> None:
    unfit = Choice(Candidate(text="a", fit=0.1), False)
    assert try_again(unfit, 1, 1, 60, 2)
    assert not try_again(unfit, 2, 1, 60, 2)
    assert not try_again(unfit, 1, 1, 2.5, 2)
    assert not try_again(Choice(Candidate(text="a", fit=0.9), True), 1, 1, 60, 2)
    assert not try_again(Choice(Candidate(text="a", fit=0), None), 1, 1, 60, 2)
    assert try_again(Choice(None, None), 1, 1, 60, 2)
