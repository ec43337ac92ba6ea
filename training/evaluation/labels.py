"""What a classifier is worth, label by label, beside TF-IDF on the same rows: the tables of its report.

Every text is judged with thresholds that the other half of the texts set. Knows arrays and rows; no network, no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training import calibration
from training.calibration import Marks, Numbers, Scores, Truth
from training.data.emotions import Labelled
from training.evaluation.confusion import matrix
from training.evaluation.tfidf import TfIdf
from training.labels import Labels, halves


@dataclass(frozen=True)
class Verdict:
    """Decisions on held-out texts and their scores."""

    decided: Marks
    scores: Scores
    accuracy: float


def judge(probabilities: Numbers, rows: Sequence[Labelled], labels: Labels) -> Verdict:
    """Decide every row by its halves; accuracy counts texts with all labels right."""
    truth = Truth.of(rows, labels.names)
    decided = calibration.crosswise(probabilities, truth, np.array(halves(rows), dtype=np.bool_), labels.task)
    right = ((decided == truth.actual) | ~truth.known).all(axis=1)
    return Verdict(decided, calibration.score(decided, truth), float(right.mean()))


def reference(train: Sequence[Labelled], rows: Sequence[Labelled], labels: Labels) -> Verdict | None:
    """TF-IDF and logistic regression, learned from `train` and judged alike; None if there is too little text."""
    try:
        model = TfIdf.fit(train, labels=labels.names)
    except ValueError:  # No word stands in enough texts.
        return None
    return judge(model.predict([row.text for row in rows]).astype(np.float64), rows, labels)


def summary(own: Verdict, other: Verdict | None, labels: Labels) -> list[str]:
    """The two classifiers side by side."""
    lines = ["| on held-out texts | macro-F1 | all labels right | no label given |", "| --- | --- | --- | --- |"]
    for name, one in (("this", own), ("TF-IDF", other)):
        if one is not None:
            none = float((~one.decided.any(axis=1)).mean())
            lines.append(f"| {name} | {one.scores.macro_f1:.3f} | {one.accuracy:.3f} | {none:.3f} |")
    return lines


def by_label(
    own: Verdict,
    other: Verdict | None,
    rows: Sequence[Labelled],
    labels: Labels,
    trained: Mapping[str, int],
    weights: Mapping[str, float],
    cuts: Mapping[str, float],
) -> list[str]:
    """A line for each label: rows, weight in the loss, threshold, precision, recall, F1."""
    there = Truth.of(rows, labels.names).actual.sum(axis=0)
    lines = [
        "| label | rows | held out | weight | threshold | precision | recall | F1 | F1 of TF-IDF |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for index, name in enumerate(labels.names):
        scores = own.scores
        cells = [
            name,
            f"{trained.get(name, 0)}",
            f"{there[index]}",
            f"{weights[name]:.2f}",
            f"{cuts[name]:.3f}",
            f"{scores.precision[index]:.3f}",
            f"{scores.recall[index]:.3f}",
            f"{scores.f1[index]:.3f}",
            f"{other.scores.f1[index]:.3f}" if other is not None else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def confusion(probabilities: Numbers, rows: Sequence[Labelled], labels: Labels, cuts: Mapping[str, float]) -> list[str]:
    """What is said of texts that carry each label; texts with several stand in several lines."""
    found = [dict(zip(labels.names, map(float, line), strict=True)) for line in probabilities]
    groups = {name: [one for one, row in zip(found, rows, strict=True) if name in row.labels] for name in labels.names}
    groups["(none)"] = [one for one, row in zip(found, rows, strict=True) if not row.labels]
    return matrix("carries", groups, labels.names, cuts)
