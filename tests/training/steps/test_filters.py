"""Steps that keep or drop a row by itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.contracts import Turn
from tests.training.steps.conftest import Apply
from training.data.rows import Answer, Dialogue, Pair, Row, Text
from training.data.steps.filters import Answered, Fraction, Outcome, Profanity, Score, Tag
from training.data.steps.keys import below
from training.data.steps.length import Length
from training.data.steps.scrubbing import Language
from training.recipes import RecipeError


def said(text: str, role: str = "user") -> Turn:
    return Turn.model_validate({"role": role, "text": text})


def answer(prompt: str, text: str, **more: Any) -> Answer:
    return Answer(prompt=(said(prompt),), answer=text, **more)


def test_scores_from_nine_on(seed_answers: list[Answer], apply: Apply) -> None:
    rows, counts = apply(Score(field="opus_score", min=9), seed_answers)
    assert {row.scores["opus_score"] for row in rows} == {9.0, 10.0}
    assert counts.dropped["below_min"] == counts.entered - counts.left > 0
    unknown = [answer("а", "б"), answer("в", "г", scores={"opus_score": 9.5})]
    assert apply(Score(field="opus_score", max=9), unknown)[1].dropped == {"no_opus_score": 1, "above_max": 1}
    assert apply(Score(field="opus_score", min=9, missing="keep"), unknown)[0] == unknown


def test_fractions_are_nested_and_of_their_size(seed_answers: list[Answer], apply: Apply) -> None:
    kept = [apply(Fraction(share=share), seed_answers)[0] for share in (0.1, 0.2, 0.4)]
    prompts: list[set[Any]] = [{row.prompt for row in rows} for rows in kept]
    assert prompts[0] < prompts[1] < prompts[2]
    everything = len({row.prompt for row in seed_answers})
    for share, found in zip((0.1, 0.2, 0.4), prompts, strict=True):
        assert len(found) == pytest.approx(share * everything, rel=0.25)
    # All answers to a prompt come along.
    assert len(kept[2]) == sum(row.prompt in prompts[2] for row in seed_answers)


@given(st.text(), st.floats(0, 1), st.floats(0, 1), st.text())
def test_who_is_in_a_share_is_in_every_larger_one(text: str, one: float, other: float, salt: str) -> None:
    small, large = sorted((one, other))
    assert not below(text, small, salt) or below(text, large, salt)
    assert below(text, 1, salt) and not below(text, 0, salt)


def test_questions_without_answers_go(apply: Apply) -> None:
    talk = Dialogue(turns=(said("Привет"), said("Здравствуй", "assistant"), said("Ты тут?")))
    silent = Dialogue(turns=(said("Есть кто?"), said("…", "assistant")))
    monologue = Dialogue(turns=(said("Добро пожаловать", "assistant"),))
    asked: list[Row] = [
        talk,
        silent,
        monologue,
        answer("Где чек?", "В письме."),
        answer("Где чек?", " — "),
        answer("😢", "❤"),
        answer("?!", "Слушаю"),
        Pair(prompt=(said("Как дела?"),), chosen="Хорошо!", rejected="хорошо"),
        Text(text="***"),
    ]
    rows, counts = apply(Answered(), asked)
    assert [len(row.turns) for row in rows if isinstance(row, Dialogue)] == [2]
    assert len(rows) == 3 and counts.changed == 1
    assert counts.dropped == {"no_answer": 2, "no_question": 2, "same_answers": 1, "no_words": 1}


def test_cases_by_outcome_and_tag(apply: Apply) -> None:
    rows: list[Row] = [
        answer("Не грузит", "Обновите.", tags={"outcome": "success", "category": "Вход"}),
        answer("Не пришло", "Ждите.", tags={"outcome": "failure", "category": "Доставка"}),
        answer("Вопрос", "Ответ."),
    ]
    assert apply(Outcome(), rows)[0] == rows[:1]
    assert apply(Outcome(keep="failure", missing="keep"), rows)[0] == rows[1:]
    assert apply(Tag(name="category", keep=("доставка",)), rows)[0] == rows[1:2]
    kept, counts = apply(Tag(name="category", drop=("Вход",), missing="keep"), rows)
    assert kept == rows[1:] and counts.dropped == {"other_category": 1}


def test_profanity_goes_and_the_seed_corpus_stays(seed_answers: list[Answer], apply: Apply) -> None:
    rude = answer("Что делать?", "Иди ты в жопу")
    rows, counts = apply(Profanity(), [*seed_answers[:500], rude])
    assert rude not in rows and counts.dropped["profane"] <= 3
    assert apply(Profanity(of="prompt"), [rude])[0] == [rude]


def test_other_languages_go(seed_answers: list[Answer], apply: Apply) -> None:
    foreign: list[Row] = [
        answer("How are you?", "I am fine, thank you very much!"),
        answer("Як справи?", "Дякую, в мене все гаразд, їду додому з роботи."),
    ]
    rows, counts = apply(Language(), [*seed_answers[:100], *foreign])
    assert len(rows) >= 98 and not [row for row in foreign if row in rows]
    assert counts.dropped["not_cyrillic"] == 1 and counts.dropped["not_russian"] >= 1
    assert apply(Language(russian=None), foreign)[0] == foreign[1:]


def test_a_window_in_characters_of_what_is_asked_for(apply: Apply) -> None:
    rows: list[Row] = [answer("вопрос", "а" * size) for size in (469, 470, 610, 611)]
    kept, counts = apply(Length(of="answer", min=470, max=610), rows)
    assert kept == rows[1:3] and counts.dropped == {"too_short": 1, "too_long": 1}
    assert apply(Length(of="prompt", max=6), rows)[0] == rows
    assert apply(Length(of="all", max=476), rows)[0] == rows[:2]
    pair = Pair(prompt=(said("как?"),), chosen="длинный ответ", rejected="нет")
    assert apply(Length(of="answer", min=4), [pair])[1].dropped == {"too_short": 1}
    assert apply(Length(of="all", max=17), [pair])[0] == [pair]


def test_a_window_in_tokens_of_a_real_tokenizer(seed_answers: list[Answer], apply: Apply) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained("models/starter/base")
    kept, _ = apply(Length(of="answer", min=12, max=20, tokenizer="models/starter/base"), seed_answers[:600])
    expected = [
        row
        for row in seed_answers[:600]
        if 12 <= len(tokenizer(row.answer, add_special_tokens=False)["input_ids"]) <= 20
    ]
    assert kept == expected and 0 < len(kept) < 600


def test_a_missing_tokenizer_and_an_empty_window_are_explained(apply: Apply) -> None:
    with pytest.raises(
        RecipeError, match=r"no tokenizer can be loaded from /nowhere/at/all \(there is no such folder\)"
    ):
        apply(Length(max=5, tokenizer="/nowhere/at/all"), [Text(text="да")])
    with pytest.raises(ValueError, match="min 7 is over max 5"):
        Length(min=7, max=5)
