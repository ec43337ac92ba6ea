"""Classifiers side by side on the dev sets, with TF-IDF learned from the same rows and from the set's own train split
alone (the usual reference): macro-F1 with bootstrap intervals.

    python -m training.evaluation.dev_sets --data FOLDER --posts --classifier models/starter/classifier

Decisions are by each classifier's own thresholds, TF-IDF's by one half. Intervals resample texts, the same ones for all
classifiers, so that a difference has one too. Knows folders of classifiers and the emotion sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.classifier import DEFAULT_THRESHOLD, Classifier
from training.data.emotions import LABELS, SYMPATHY, Labelled
from training.evaluation.tfidf import TfIdf

Marks = NDArray[np.bool_]
# What people labelled there: BRIGHTER has no neutral of its own, CEDR no disgust.
MEASURED = {"brighter_dev": LABELS[:6], "cedr_dev": LABELS[:5], "posts_dev": LABELS[:6], "seed_dev": LABELS}
# The sources of a dev set's own train split: all their rows that are in no dev set. Both tracks of BRIGHTER label
# nearly the same texts.
OWN = {"brighter_dev": ("brighter", "track_b"), "cedr_dev": ("cedr",), "posts_dev": ("posts",), "seed_dev": ("seed",)}


def macro_f1(decided: Marks, actual: Marks) -> float:
    """Mean over columns of F1; 0 for a column where nothing is right. Shapes (texts, labels).

    What a text does not say anything about is False in both.
    """
    hits, total = (decided & actual).sum(axis=0), decided.sum(axis=0) + actual.sum(axis=0)
    return float(np.mean(2 * hits / np.maximum(total, 1)))


def resampled(
    decisions: Mapping[str, Marks], actual: Marks, draws: int, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Macro-F1 of every classifier on `draws` resamplings of the texts, the same ones for all."""
    chance = np.random.default_rng(seed)
    chosen = [chance.integers(len(actual), size=len(actual)) for _ in range(draws)]
    return {name: np.array([macro_f1(one[rows], actual[rows]) for rows in chosen]) for name, one in decisions.items()}


def table(title: str, decisions: Mapping[str, Marks], actual: Marks, draws: int = 2000) -> list[str]:
    """Markdown: macro-F1 with its 95 % interval, and the first one's lead over each other one with its interval."""
    found = resampled(decisions, actual, draws)
    first = next(iter(decisions))
    lines = [
        f"| {title} ({len(actual)}) | macro-F1 | 95 % | lead of {first} | 95 % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, one in decisions.items():
        score = macro_f1(one, actual)
        cells = [f"{score:.3f}", _range(found[name])]
        if name == first:
            cells += ["", ""]
        else:
            cells += [f"{macro_f1(decisions[first], actual) - score:+.3f}", _range(found[first] - found[name], "+")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _range(values: NDArray[np.float64], sign: str = "") -> str:
    low, high = np.quantile(values, (0.025, 0.975))
    return f"{low:{sign}.3f} … {high:{sign}.3f}"


def decide(rows: Sequence[Mapping[str, float]], thresholds: Mapping[str, float], labels: Sequence[str]) -> Marks:
    """(texts, labels): which labels reach their thresholds."""
    return np.array([[row[label] >= thresholds.get(label, DEFAULT_THRESHOLD) for label in labels] for row in rows])


def report(sets: Mapping[str, Sequence[Labelled]], classifiers: Mapping[str, Classifier]) -> list[str]:
    """A table for each dev set that is there, over the labels that all classifiers know."""
    learned = [*sets["train"], *sets.get("validation", ())]
    reference = TfIdf.fit(learned)
    lines: list[str] = []
    for name, labels in MEASURED.items():
        if not (rows := sets.get(name)):
            continue
        labels = tuple(one for one in labels if all(one in each.labels for each in classifiers.values()))
        rows = [row for row in rows if row.labels & set(labels) or not row.labels & {SYMPATHY}]
        texts = [row.text for row in rows]
        decisions = {key: decide(one.classify(texts), one.thresholds, labels) for key, one in classifiers.items()}
        decisions["TF-IDF, same rows"] = decide(reference.rows(texts), {}, labels)
        if own := [row for row in learned if row.source in OWN[name]]:
            decisions["TF-IDF, its own train split"] = decide(TfIdf.fit(own).rows(texts), {}, labels)
        known = np.array([[label in row.known for label in labels] for row in rows])
        decisions = {key: one & known for key, one in decisions.items()}
        actual = np.array([[label in row.labels for label in labels] for row in rows])
        lines += [*table(name, decisions, actual), ""]
    return lines


def main() -> None:
    """Print the tables."""
    from models.sequence_classifier import SequenceClassifier
    from training.data.emotion_sets import gather

    parser = argparse.ArgumentParser(description="Classifiers and TF-IDF on the dev sets.")
    parser.add_argument("--data", type=Path, help="the public data folder; without it the seed corpus alone")
    parser.add_argument("--classifier", type=Path, action="append", required=True, help="folder; several are compared")
    parser.add_argument("--seed-share", type=float, default=0.7, help="as in the classifier's recipe")
    parser.add_argument("--posts", action="store_true", help="as in the classifier's recipe")
    given = parser.parse_args()
    classifiers = {str(folder): SequenceClassifier.load(str(folder)) for folder in given.classifier}
    print("\n".join(report(gather(given.data, given.seed_share, given.posts), classifiers)))


if __name__ == "__main__":
    main()
