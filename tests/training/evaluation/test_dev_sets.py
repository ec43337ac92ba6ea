"""Classifiers side by side on dev sets: the score by hand, intervals that mean something, equal ones that tie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from training.data.emotions import LABELS as EVERY
from training.data.emotions import PUBLIC, Labelled, macro_f1
from training.evaluation.dev_sets import decide, report, resampled, table
from training.evaluation.dev_sets import macro_f1 as of_arrays

LABELS = ("joy", "fear")


def test_the_score_is_the_same_as_of_mappings() -> None:
    rows = [Labelled("a", frozenset({"joy"}), "t"), Labelled("b", frozenset({"fear"}), "t")]
    rows.append(Labelled("c", frozenset({"fear"}), "t"))
    said = [{"joy": 0.9, "fear": 0.1}, {"joy": 0.1, "fear": 0.9}, {"joy": 0.1, "fear": 0.2}]
    actual = np.array([[label in row.labels for label in LABELS] for row in rows])
    found = of_arrays(decide(said, {}, LABELS), actual)
    assert found == pytest.approx(macro_f1(said, rows, dict.fromkeys(LABELS, 0.5), LABELS)["macro"]) == 5 / 6
    assert of_arrays(decide(said, {"fear": 0.2}, LABELS), actual) == 1
    assert of_arrays(np.zeros_like(actual), actual) == 0


def test_more_texts_make_a_narrower_interval() -> None:
    chance = np.random.default_rng(2)
    widths = []
    for count in (50, 1000):
        actual = chance.random((count, 2)) < 0.4
        decided = actual ^ (chance.random((count, 2)) < 0.2)
        values = resampled({"x": decided}, actual, 300)["x"]
        assert np.quantile(values, 0.025) < of_arrays(decided, actual) < np.quantile(values, 0.975)
        widths.append(float(np.ptp(np.quantile(values, (0.025, 0.975)))))
    assert widths[1] < widths[0] / 3


def test_equal_classifiers_have_no_lead_and_a_better_one_has() -> None:
    chance = np.random.default_rng(3)
    actual = chance.random((400, 2)) < 0.4
    worse = actual ^ (chance.random((400, 2)) < 0.2)
    lines = table("dev", {"good": actual, "twin": actual.copy(), "worse": worse}, actual, 200)
    assert "| twin | 1.000 | 1.000 … 1.000 | +0.000 | +0.000 … +0.000 |" in lines
    low, high = lines[-1].split("|")[5].split("…")
    assert 0 < float(low) < 1 - of_arrays(worse, actual) < float(high)


class Reader:
    """Finds its labels' names in the text."""

    id = "reader"
    thresholds: Mapping[str, float] = {}

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [{label: float(label in text) for label in self.labels} for text in texts]


def test_labels_that_one_classifier_does_not_know_are_left_out_for_all() -> None:
    everything = frozenset(EVERY)
    train = [
        Labelled(f"{word} {label} {n}", frozenset({label}), "seed", everything)
        for label in EVERY
        for n in range(4)
        for word in ("one", "two")
    ]
    dev = [Labelled(f"three {label}", frozenset({label}), "seed", everything) for label in EVERY]
    # What the seven-label classifier would be wrong about, were it asked.
    dev.append(Labelled("joy in sorrow", frozenset({"sympathy"}), "seed", everything))
    eight, seven = Reader(EVERY), Reader(PUBLIC)
    alone = report({"train": train, "seed_dev": dev}, {"eight": eight})
    both = report({"train": train, "seed_dev": dev}, {"eight": eight, "seven": seven})
    assert alone[0].startswith("| seed_dev (9) ")
    assert both[0].startswith("| seed_dev (7) ")
    assert "| eight | 1.000 " in "\n".join(both) and "| seven | 1.000 " in "\n".join(both)
    assert "| eight | 1.000 " not in "\n".join(alone), "joy was said of a text that carries sympathy alone"
    assert [line.split(" | ")[0] for line in alone[3:5]] == ["| TF-IDF, same rows", "| TF-IDF, its own train split"]
