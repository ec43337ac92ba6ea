"""Temperature, thresholds, decisions and scores: numbers by hand."""

import numpy as np
import pytest

from training import calibration
from training.calibration import Truth
from training.labels import Labels


def truth(*rows: tuple[int, ...], known: tuple[tuple[int, ...], ...] = ()) -> Truth:
    actual = np.array(rows, dtype=np.bool_)
    return Truth(actual, np.array(known, dtype=np.bool_) if known else np.ones_like(actual))


def test_a_threshold_stands_half_way_at_the_best_f1() -> None:
    # Letting through 1, 2, 3, 4 texts gives F1 2/3, 1/2, 4/5, 2/3.
    cut = calibration.best_cut(np.array([0.3, 0.9, 0.6, 0.8]), np.array([False, True, True, False]))
    assert cut == pytest.approx(0.45)


def test_texts_with_the_same_probability_are_not_parted() -> None:
    # Only «all» and «none» can be told apart: 3 of 4 right.
    cut = calibration.best_cut(np.array([0.4, 0.4, 0.4, 0.4]), np.array([True, True, False, True]))
    assert cut == pytest.approx(0.2)


def test_a_label_that_nobody_carries_keeps_the_default_threshold() -> None:
    assert calibration.best_cut(np.array([0.9, 0.1]), np.array([False, False])) == 0.5


def test_thresholds_ask_only_rows_that_know_the_label() -> None:
    probabilities = np.array([[0.9], [0.8], [0.2]])
    told = truth((1,), (0,), (0,), known=((1,), (0,), (1,)))
    assert calibration.thresholds(probabilities, told)[0] == pytest.approx(0.55)


def test_of_one_label_a_text_only_the_likeliest_counts_and_it_can_be_rejected() -> None:
    probabilities = np.array([[0.6, 0.4], [0.45, 0.55], [0.9, 0.1]])
    cuts = np.array([0.5, 0.6])
    decided = calibration.decide(probabilities, cuts, "single")
    assert decided.tolist() == [[True, False], [False, False], [True, False]]
    low = calibration.decide(probabilities, np.array([0.4, 0.4]), "single")
    assert low.sum(axis=1).tolist() == [1, 1, 1]
    assert calibration.decide(probabilities, np.array([0.4, 0.4]), "multi").sum(axis=1).tolist() == [2, 2, 1]


def test_temperature_makes_confidence_as_large_as_the_share_that_is_right() -> None:
    # 90 % sure, 7 of 10 right: ln 9 / T = ln (7 / 3).
    told = truth(*[(1, 0)] * 7, *[(0, 1)] * 3)
    probabilities = np.array([[0.9, 0.1]] * 10)
    degree = calibration.temperature(probabilities, told, "single")
    assert degree == pytest.approx(np.log(9) / np.log(7 / 3), rel=1e-4)
    cooled = calibration.at_temperature(probabilities, degree, "single")
    assert cooled[0] == pytest.approx([0.7, 0.3], abs=1e-4)
    assert calibration.surprise(cooled, told, "single") < calibration.surprise(probabilities, told, "single")


def test_temperature_of_several_labels_counts_known_cells_only() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10)
    known = ((1, 0),) * 10
    told = truth(*[(1, 1)] * 7, *[(0, 1)] * 3, known=known)
    degree = calibration.temperature(probabilities, told, "multi")
    assert degree == pytest.approx(np.log(9) / np.log(7 / 3), rel=1e-4)
    assert calibration.at_temperature(probabilities, degree, "multi")[0] == pytest.approx([0.7, 0.3], abs=1e-4)


def test_no_row_is_judged_by_a_threshold_that_it_set() -> None:
    # One half lies at 0.9 and 0.6, the other at 0.5 and 0.1: each half's own cut would be right, the other's is not.
    probabilities = np.array([[0.9], [0.6], [0.5], [0.1]])
    told = truth((1,), (0,), (1,), (0,))
    half = np.array([True, True, False, False])
    assert calibration.crosswise(probabilities, told, half, "multi").tolist() == [[True], [True], [False], [False]]


def test_precision_recall_and_f1_by_label() -> None:
    told = truth((1, 0), (1, 0), (0, 1), (0, 0), known=((1, 1), (1, 1), (1, 1), (1, 0)))
    decided = np.array([[1, 0], [0, 0], [1, 0], [0, 1]], dtype=np.bool_)
    found = calibration.score(decided, told)
    assert found.precision.tolist() == [0.5, 0.0]
    assert found.recall.tolist() == [0.5, 0.0]
    assert found.f1.tolist() == [0.5, 0.0]
    assert found.macro_f1 == 0.25


def test_the_loss_weighs_labels_and_adds_up_over_parts_of_a_step() -> None:
    import torch

    from training.classifier_network import weighted_loss

    class Output:
        logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])

    ln2 = float(np.log(2))
    single = weighted_loss(Labels("single", ("a", "b")), {"a": 0.5, "b": 2.0})
    actual = torch.tensor([0, 0, 1])
    assert float(single(Output, actual)) == pytest.approx(ln2 * (0.5 + 0.5 + 2.0) / 3)
    # The same rows as one of two parts of a step of six.
    assert float(single(Output, actual, torch.tensor(6))) == pytest.approx(ln2 * 3.0 / 6)
    multi = weighted_loss(Labels("multi", ("a", "b")), {"a": 3.0, "b": 1.0})
    # Presence of «a» counts three times; one of six cells is unknown.
    cells = torch.tensor([[1.0, 0.0], [0.0, -100.0], [0.0, 1.0]])
    assert float(multi(Output, cells)) == pytest.approx(ln2 * 7 / 5)
