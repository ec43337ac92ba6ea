"""Which labels there are, what they weigh, and which rows are refused: numbers by hand."""

import pytest

from storage.contracts import Turn
from training.data.emotions import Labelled
from training.data.rows import Answer, Dialogue, Row, Text
from training.labels import (
    LabelError,
    Labels,
    Survey,
    choose,
    given_weights,
    halves,
    inverse_frequency,
    survey,
)

ASKED = (Turn(role="user", text="Как ты?"),)


def text(words: str, *labels: str, origin: str = "") -> Text:
    return Text(text=words, labels=labels, origin=origin)


def test_labels_are_counted_under_the_names_that_serving_uses() -> None:
    rows: list[Row] = [
        text("Ура", "радость"),
        text("Ох", "грусть", "страх"),
        Answer(prompt=ASKED, answer="Мне грустно.", emotion="sadness"),
        text("Стол стоит."),
        Text(text="Что это?"),
    ]
    found = survey(rows)
    assert found == Survey(rows=4, unlabelled=1, counts={"joy": 1, "sadness": 2, "fear": 1})


def test_a_single_label_weighs_what_its_rarity_says() -> None:
    found = Survey(10, 0, {"joy": 6, "fear": 3, "anger": 1})
    weights = inverse_frequency(found, ("joy", "fear", "anger"), "single", most=10)
    assert weights == pytest.approx({"joy": 10 / 18, "fear": 10 / 9, "anger": 10 / 3})
    assert sum(weights[name] * count for name, count in found.counts.items()) == pytest.approx(10)


def test_of_several_labels_presence_weighs_absent_over_present() -> None:
    found = Survey(10, 0, {"joy": 6, "fear": 3, "anger": 1}, {"fear": 2})
    weights = inverse_frequency(found, ("joy", "fear", "anger"), "multi", most=5)
    assert weights == pytest.approx({"joy": 4 / 6, "fear": 5 / 3, "anger": 5.0})


def test_a_label_on_nearly_every_row_keeps_a_little_weight() -> None:
    assert inverse_frequency(Survey(100, 0, {"joy": 100}), ("joy",), "multi", most=4) == {"joy": 0.25}


def test_own_weights_are_one_where_unnamed_and_refused_where_unknown() -> None:
    assert given_weights({"fear": 3}, ("joy", "fear")) == {"joy": 1.0, "fear": 3}
    with pytest.raises(LabelError, match="no label 'feer'"):
        given_weights({"feer": 3}, ("joy", "fear"))


def test_labels_keep_the_order_of_a_head_that_has_the_same_ones() -> None:
    found = Survey(20, 0, {"fear": 10, "joy": 10})
    assert choose(found, "single", None, ("joy", "fear"), 5) == ("joy", "fear")
    assert choose(found, "single", None, ("joy", "anger"), 5) == ("fear", "joy")
    assert choose(found, "single", ("joy", "fear"), (), 5) == ("joy", "fear")


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        (Survey(13, 0, {"joy": 10, "fear": 3}), None, "'fear' has 3, 8 are needed"),
        (Survey(20, 0, {"joy": 10, "fear": 10}), ("joy", "fear", "anger"), "'anger' has 0"),
        (Survey(10, 0, {"joy": 10}), None, "all 10 rows have the same label"),
        (Survey(0, 7, {}), None, "none of 7 rows is labelled"),
    ],
)
def test_what_cannot_be_learned_is_named(found: Survey, wanted: tuple[str, ...] | None, told: str) -> None:
    with pytest.raises(LabelError, match=told):
        choose(found, "single", wanted, (), 8)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (text("Ух", "joy", "fear", origin="a.jsonl:3"), "a.jsonl:3 has labels fear, joy; task: single"),
        (text("Ух", origin="a.jsonl:4"), "a.jsonl:4 has none of the labels"),
        (text("Ух", "disgust", origin="a.jsonl:5"), "a.jsonl:5 has the label 'disgust', which is not among"),
        (Dialogue(turns=ASKED, origin="a.jsonl:6"), "a.jsonl:6 is of kind 'dialogue'"),
    ],
)
def test_a_row_that_does_not_fit_is_named_by_its_place(row: Row, told: str) -> None:
    with pytest.raises(LabelError, match=told):
        list(Labels("single", ("joy", "fear")).read([row]))


def test_targets_leave_open_what_a_source_never_says() -> None:
    labels = Labels("multi", ("joy", "fear", "disgust"), {"cedr": frozenset({"disgust"})})
    rows = list(labels.read([text("Ура", "joy", origin="cedr.jsonl:1"), text("Фу", "disgust", origin="own.jsonl:1")]))
    assert [labels.target(row) for row in rows] == [[1.0, 0.0, -100.0], [0.0, 0.0, 1.0]]
    assert labels.target(next(labels.read([text("Фу", "disgust", origin="cedr.jsonl:9")]))) == [0.0, 0.0, 1.0]


def test_a_single_target_is_the_labels_place() -> None:
    labels = Labels("single", ("joy", "fear"))
    assert [labels.target(row) for row in labels.read([text("Ой", "страх"), text("Ура", "joy")])] == [1, 0]


def test_halves_share_every_combination_and_do_not_depend_on_the_order() -> None:
    rows = [Labelled(f"{name} {number}", frozenset({name}), "") for name in ("joy", "fear") for number in range(10)]
    first = dict(zip((row.text for row in rows), halves(rows), strict=True))
    for name in ("joy", "fear"):
        assert sum(side for words, side in first.items() if words.startswith(name)) == 5
    backwards = dict(zip((row.text for row in reversed(rows)), halves(rows[::-1]), strict=True))
    assert backwards == first
