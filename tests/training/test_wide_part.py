"""Learning the wide part: the same features as in serving, ratios by hand, what a source never says, the shares."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from training.data.emotions import LABELS, Labelled
from training.wide_part import NEVER, Learning, fit, ratios, shares, table

JOY, DISGUST = LABELS.index("joy"), LABELS.index("disgust")
HAPPY = ["Ура, как здорово!", "Я так рад, ура", "Здорово, радость какая", "Ура-ура! Рад"]
SICK = ["Фу, гадость", "Какая мерзость, фу", "Гадость какая, фу!", "Мерзость"]
OPEN = frozenset(LABELS) - {"disgust"}


def rows(count: int = 1) -> list[Labelled]:
    joyful = [Labelled(text, frozenset({"joy"}), "a") for text in HAPPY]
    return (joyful + [Labelled(text, frozenset({"disgust"}), "a") for text in SICK]) * count


def test_training_and_serving_compute_the_same() -> None:
    made = fit(rows(), [1.0] * 8, Learning())
    texts = [*HAPPY, *SICK, "ничего знакомого", ""]
    assert table(made, texts) @ made.weights + made.bias == pytest.approx(made.logits(texts), abs=1e-5)


def test_it_learns_which_words_carry_which_label() -> None:
    made = fit(rows(), [1.0] * 8, Learning())
    happy, sick = made.logits(["Ура, рад!", "Фу, мерзость!"])
    assert happy[JOY] > 0 > sick[JOY] and sick[DISGUST] > 0 > happy[DISGUST]
    assert made.bias[LABELS.index("fear")] == NEVER and not made.weights[:, LABELS.index("fear")].any()


def test_rows_that_do_not_know_a_label_teach_nothing_about_it() -> None:
    silent = [Labelled(text, frozenset({"anger"}), "b", OPEN) for text in SICK]
    told = fit(rows(), [1.0] * 8, Learning())
    more = fit(rows() + silent, [1.0] * 12, Learning())
    assert more.logits(SICK)[:, DISGUST].min() > 0
    wrong = fit(rows() + [replace(row, known=frozenset(LABELS)) for row in silent], [1.0] * 12, Learning())
    assert wrong.logits(SICK)[:, DISGUST].mean() < told.logits(SICK)[:, DISGUST].mean()


def test_heavier_rows_decide() -> None:
    against = [Labelled(text, frozenset({"neutral"}), "b") for text in HAPPY]
    light, heavy = (fit(rows() + against, [1.0] * 8 + [mass] * 4, Learning()) for mass in (0.05, 20.0))
    assert (light.logits(HAPPY)[:, JOY] > heavy.logits(HAPPY)[:, JOY]).all()


def test_log_count_ratios_by_hand() -> None:
    features = csr_matrix(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 2.0]]))
    # With the label: (2, 1); without: (0, 2); 1 added: (3, 2) of 5 against (1, 3) of 4.
    first, second = math.log((3 / 5) / (1 / 4)), -math.log((2 / 5) / (3 / 4))
    size = math.sqrt((2 * first**2 + 2 * second**2) / 4)
    found = ratios(features, np.array([True, True, False]), np.ones(3), smoothing=1.0)
    assert found == pytest.approx([first / size, second / size])


@pytest.mark.parametrize("truth", ["network", "wide"])
def test_the_part_that_is_right_gets_the_larger_share(truth: str) -> None:
    made = fit(rows(), [1.0] * 8, Learning())
    texts = (HAPPY + SICK) * 10
    chance = np.random.default_rng(1)
    noise = chance.normal(size=(len(texts), len(LABELS))).astype(np.float32)
    signal = noise[:, JOY] if truth == "network" else made.logits(texts)[:, JOY]
    actual = [
        Labelled(text, frozenset({"joy"} if value > 0 else {"disgust"}), "a", frozenset({"joy"}))
        for text, value in zip(texts, signal, strict=True)
    ]
    found = shares(made, noise, actual)
    assert (found.network > found.wide) == (truth == "network")
    both = found.of(made)
    summed = noise[:, JOY] * both.share[JOY] + both.logits(texts)[:, JOY]
    assert float(np.mean((summed > 0) == (signal > 0))) > 0.9


def test_texts_that_share_nothing_are_refused() -> None:
    alone = [Labelled("да", frozenset({"joy"}), "a"), Labelled("нет", frozenset({"anger"}), "a")]
    with pytest.raises(ValueError, match="no word or run of letters"):
        fit(alone, [1.0, 1.0], Learning(least=(2, 2)))
