"""What people like: the wanted emotion, their length, real words; and that no judge was fitted on another's share."""

from __future__ import annotations

import pytest

from training.data import emotions, seed_corpus
from training.evaluation import gate
from training.simulation import material
from training.simulation.people import EMOTIONS, Wish
from training.simulation.taste import Features, Taster, overlap, satisfaction, utility

WISH = Wish(words=10, emotion=4.0, length=0.8, topic=0.6, clean=3.0)
GOOD = Features(emotion=0.9, words=10, topic=0.5, invented=0.0, repeated=0.0)


@pytest.fixture(scope="module")
def taster() -> Taster:
    return material.make_taster()


@pytest.mark.parametrize(
    "worse",
    [
        {"emotion": 0.1},
        {"words": 40},
        {"words": 3},
        {"topic": 0.0},
        {"invented": 0.5},
        {"repeated": 0.6},
        {"words": 0},
    ],
)
def test_an_answer_that_lacks_one_thing_is_liked_less(worse: dict[str, float]) -> None:
    changed = Features(**{**GOOD.__dict__, **worse})
    assert utility(WISH, changed) < utility(WISH, GOOD)


def test_satisfaction_is_the_probability_of_a_thumb_up() -> None:
    assert satisfaction(0.0) == 0.5
    assert satisfaction(utility(WISH, GOOD)) > 0.8


def test_taste_reads_emotion_words_topic_and_invention(taster: Taster) -> None:
    message = "Кошка опять уронила кактус"
    joyful, angry, invented = taster.read(
        [
            "Ура, как я рад! Просто праздник, счастье-то какое, кактус жив!",
            "Да сколько можно?! Меня это бесит, сил нет терпеть!",
            "Бзымоглавка скрутопёрла вшивотень кукарямбу.",
        ],
        [message] * 3,
        ["joy"] * 3,
    )
    assert joyful.emotion > 0.5 > angry.emotion
    assert joyful.topic > angry.topic == 0.0
    assert invented.invented > 0.5 > joyful.invented
    assert joyful.words == 10


def test_topic_is_what_of_the_message_is_taken_up() -> None:
    assert overlap(["кактусу", "плохо"], ["кошка", "уронила", "кактус"]) == pytest.approx(1 / 3)
    assert overlap(["да"], ["ну", "и"]) == 0.0


def test_shares_of_people_gate_and_measurement_do_not_meet() -> None:
    found = material.gather()
    gate_texts = {row.text for row in gate.seed_rows()}
    train, held = seed_corpus.split(seed_corpus.load())
    gate_messages = {row.message for row in train if emotions.share(row.message, "judge") >= gate.SEED_SHARE}
    assert found.messages and found.held_out and found.better
    assert not gate_messages & (set(found.messages) | set(found.held_out))
    assert not set(found.messages) & set(found.held_out)
    assert not gate_texts & set(found.better.values())
    assert set(found.held_out) <= {row.message for row in held}


def test_questions_are_spread_over_messages_and_emotions_and_stay_the_same() -> None:
    found = material.gather()
    some = material.questions(found, 70)
    assert some == material.questions(found, 70)
    assert {sum(one.emotion == name for one in some) for name in EMOTIONS} == {10}
    assert len({one.message for one in some}) == 70
    every = material.questions(found, 10_000)
    assert len({one.key for one in every}) == len(every) == len(found.held_out) * len(EMOTIONS)
