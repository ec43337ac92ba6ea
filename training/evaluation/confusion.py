"""What the shipped classifier says of held-out seed replies, emotion by emotion, sympathy included.

    python -m training.evaluation.confusion --classifier models/starter/classifier

Tells which labels may stand for a preset that the classifier has no label for. Knows the seed corpus only.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.data import seed_corpus
from training.data.conversations import classify
from training.data.emotions import LABELS


def table(
    rows: Sequence[seed_corpus.SeedRow], found: Sequence[Mapping[str, float]], thresholds: Mapping[str, float]
) -> list[str]:
    """`matrix` of seed replies by emotion."""
    groups = {
        emotion: [row for row, one in zip(found, rows, strict=True) if one.emotion == emotion]
        for emotion in seed_corpus.EMOTIONS
    }
    return matrix("emotion", groups, [label for label in LABELS if label in thresholds], thresholds)


def matrix(
    title: str,
    groups: Mapping[str, Sequence[Mapping[str, float]]],
    labels: Sequence[str],
    thresholds: Mapping[str, float],
) -> list[str]:
    """Markdown: for each group of texts the share of each likeliest label, then the share over the label's threshold.

    `groups`: what texts really carry → probabilities of these texts; groups without texts are left out.
    """
    lines = [f"| {title} | {' | '.join(labels)} |", "| --- |" + " --- |" * len(labels)]
    for name, own in groups.items():
        if not own:
            continue
        first = Counter(max(labels, key=lambda label: row[label]) for row in own)
        over = Counter(label for row in own for label in labels if row[label] >= thresholds[label])
        cells = [f"{first[label] / len(own):.2f} ({over[label] / len(own):.2f})" for label in labels]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Confusion of the classifier on held-out seed replies.")
    parser.add_argument("--classifier", type=Path, default=Path("models/starter/classifier"))
    given = parser.parse_args()
    thresholds = json.loads((given.classifier / "thresholds.json").read_text(encoding="utf-8"))
    _, held = seed_corpus.split(seed_corpus.load())
    print("\n".join(table(held, classify(given.classifier, [row.reply for row in held]), thresholds)))


if __name__ == "__main__":
    main()
