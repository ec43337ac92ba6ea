"""Dialogues become answers, a real classifier reads their emotion, and emotions are evened out."""

from collections import Counter
from typing import Any

import pytest
import structlog

from storage.contracts import Turn
from storage.presets import Presets
from tests.training.steps.conftest import Apply
from training.data.rows import Answer, Dialogue, Text
from training.data.steps.answers import Answers, answers_of
from training.data.steps.emotions import Emotions, reading
from training.recipes import RecipeError

STARTER = "models/starter/classifier"


def talk(*texts: str, first: str = "user", **more: Any) -> Dialogue:
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    turns = [Turn.model_validate({"role": roles[place % 2], "text": text}) for place, text in enumerate(texts)]
    return Dialogue(turns=tuple(turns), **more)


def test_every_answer_with_the_turns_before_it(apply: Apply) -> None:
    row = talk(
        "Привет", "Здравствуй!", "Как дела?", "Отлично.", "А погода?", person="u1", origin="a:1", tags={"k": "v"}
    )
    rows, counts = apply(Answers(), [row, Text(text="мимо")])
    assert [[turn.text for turn in one.prompt] + [one.answer] for one in rows[:2]] == [
        ["Привет", "Здравствуй!"],
        ["Привет", "Здравствуй!", "Как дела?", "Отлично."],
    ]
    assert {one.person for one in rows[:2]} == {"u1"} and rows[0].tags["k"] == "v" and rows[2] == Text(text="мимо")
    assert counts.found == {"answers": 2}
    assert [one.answer for one in apply(Answers(which="last"), [row])[0]] == ["Отлично."]


def test_a_window_begins_with_the_person(apply: Apply) -> None:
    row = talk("Слушаю", "Где чек?", "В письме.", "А письмо?", "В почте.", first="assistant")
    assert [[turn.text for turn in one.prompt] for one in answers_of(row, 2)] == [["Где чек?"], ["А письмо?"]]
    rows, counts = apply(Answers(), [talk("Есть кто?"), talk("Добро пожаловать", first="assistant")])
    assert not rows and counts.dropped == {"no_answer": 2}


def test_a_clear_emotion_becomes_a_preset_and_certainty_its_intensity(presets: Presets) -> None:
    low = dict.fromkeys(("sadness", "surprise", "fear", "anger", "disgust", "neutral"), 0.05)
    assert reading({**low, "joy": 0.95}, presets, False) == ("joy", 3)
    assert reading({**low, "joy": 0.8}, presets, False) == ("joy", 2)
    assert reading({**low, "joy": 0.65}, presets, False) == ("joy", 1)
    assert reading({**low, "joy": 0.55}, presets, False) is None
    assert reading({**low, "joy": 0.9, "anger": 0.6}, presets, False) is None
    # Two presets are named by sadness: the feeling itself, not sympathy with it, unless sympathy is likelier.
    assert reading({**low, "sadness": 0.95, "joy": 0.01}, presets, False) == ("sadness", 3)
    assert reading({**low, "sadness": 0.6, "sympathy": 0.95, "joy": 0.01}, presets, False) == ("sympathy", 3)
    assert reading({**low, "sadness": 0.95, "sympathy": 0.6, "joy": 0.01}, presets, False) is None
    calm = {**low, "neutral": 0.95, "joy": 0.01}
    assert reading(calm, presets, False) is None and reading(calm, presets, True) == ("neutral", 3)


def test_a_real_classifier_labels_and_balances(seed_answers: list[Answer], apply: Apply) -> None:
    bare = [row.model_copy(update={"emotion": None, "intensity": 2}) for row in seed_answers[:240]]
    truth = {row.answer: row.emotion for row in seed_answers[:240]}
    rows, counts = apply(Emotions(classifier=STARTER), bare)
    assert len(rows) > 60 and counts.dropped["no_single_emotion"] == 240 - len(rows)
    right = sum(truth[row.answer] == row.emotion for row in rows)
    assert right > 0.7 * len(rows) and "sympathy" in {row.emotion for row in rows}
    assert {row.intensity for row in rows} == {1, 2, 3}
    even, counts = apply(Emotions(classifier=STARTER, balance="equal"), bare)
    sizes = Counter(row.emotion for row in even)
    assert len(set(sizes.values())) == 1 and set(sizes) == {row.emotion for row in rows}
    assert sum(counts.dropped.values()) == 240 - len(even)
    backwards, _ = apply(Emotions(classifier=STARTER, balance=3), bare[119::-1])
    capped, _ = apply(Emotions(classifier=STARTER, balance=3), bare[:120])
    assert {row.answer for row in backwards} == {row.answer for row in capped}
    assert max(Counter(row.emotion for row in capped).values()) == 3


def test_too_rare_an_emotion_to_even_out_by_is_told(seed_answers: list[Answer], apply: Apply) -> None:
    joyful = [
        row.model_copy(update={"emotion": "joy", "answer": f"{row.answer} {n}"})
        for n, row in enumerate(seed_answers[:60])
    ]
    rare = seed_answers[60].model_copy(update={"emotion": "fear"})
    with structlog.testing.capture_logs() as logs:
        rows, _ = apply(Emotions(classifier=STARTER, balance="equal"), [*joyful, rare])
    assert Counter(row.emotion for row in rows) == {"joy": 1, "fear": 1}
    assert [(one["rarest"], one["of_each"]) for one in logs if "leaves few rows" in one["event"]] == [("fear", 1)]


def test_labelled_rows_stay_unless_they_are_to_be_read_anew(seed_answers: list[Answer], apply: Apply) -> None:
    assert apply(Emotions(classifier=STARTER), list(seed_answers[:20]))[0] == seed_answers[:20]


def test_a_dialogue_and_a_missing_classifier_are_explained(apply: Apply) -> None:
    with pytest.raises(RecipeError, match="put 'answers' before it"):
        apply(Emotions(classifier=STARTER), [talk("Привет", "Здравствуй")])
    with pytest.raises(RecipeError, match="emotions: the emotion classifier /no/where/at/all cannot be loaded"):
        apply(Emotions(classifier="/no/where/at/all"), [Text(text="да")])
