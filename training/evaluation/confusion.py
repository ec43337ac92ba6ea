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
from training.evaluation.starter import likeliest


def table(
    rows: Sequence[seed_corpus.SeedRow], found: Sequence[Mapping[str, float]], thresholds: Mapping[str, float]
) -> list[str]:
    """Markdown: for each emotion the share of each likeliest label, then the share over the label's own threshold."""
    lines = [f"| emotion | {' | '.join(LABELS)} |", "| --- |" + " --- |" * len(LABELS)]
    for emotion in seed_corpus.EMOTIONS:
        own = [row for row, one in zip(found, rows, strict=True) if one.emotion == emotion]
        first = Counter(likeliest(row) for row in own)
        over = Counter(label for row in own for label in LABELS if row[label] >= thresholds[label])
        cells = [f"{first[label] / len(own):.2f} ({over[label] / len(own):.2f})" for label in LABELS]
        lines.append(f"| {emotion} | {' | '.join(cells)} |")
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
