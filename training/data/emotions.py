"""Readers of emotion-labelled texts: every set becomes rows over the same labels, with what it never says masked.

Knows the data folder's layout and the seed corpus; nothing of classifiers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.data import seed_corpus
from training.data.sources import rows

# What public sets speak of, and the one emotion that the seed corpus alone has.
PUBLIC = ("joy", "sadness", "surprise", "fear", "anger", "disgust", "neutral")
SYMPATHY = "sympathy"
LABELS = (*PUBLIC, SYMPATHY)
SEED_LABELS = {
    "радость": "joy", "грусть": "sadness", "удивление": "surprise", "страх": "fear",
    "злость": "anger", "отвращение": "disgust", "нейтрально": "neutral",
}  # fmt: skip
# Sympathy may be sad, anxious or glad for somebody: such a reply says nothing against these.
BESIDE_SYMPATHY = frozenset({"sadness", "fear", "joy"})
FILES = {
    "cedr": "emotion/cedr/train.jsonl",
    "brighter": "emotion/brighter/track_a_train.jsonl",
    "brighter_dev": "emotion/brighter/track_a_dev.jsonl",
    "track_b": "emotion/brighter/track_b_train.jsonl",
    "track_b_dev": "emotion/brighter/track_b_dev.jsonl",
    "izard": "emotion/izard/train.jsonl",
    "goemotions": "emotion/goemotions/validation.jsonl",
}
# Fine-grained names of the machine-translated sets; a name that fits no label leaves its row out, not neutral.
_FINE = {
    "joy": "joy", "enthusiasm": "joy", "happiness": "joy", "amusement": "joy", "excitement": "joy", "love": "joy",
    "admiration": "joy", "gratitude": "joy", "pride": "joy", "sadness": "sadness", "grief": "sadness",
    "disappointment": "sadness", "remorse": "sadness", "surprise": "surprise", "realization": "surprise",
    "fear": "fear", "nervousness": "fear", "anger": "anger", "annoyance": "anger", "disgust": "disgust",
    "neutral": "neutral",
}  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """A text with labels; `known` are the labels that its source speaks about at all."""

    text: str
    labels: frozenset[str]
    source: str
    known: frozenset[str] = field(default=frozenset(PUBLIC))


def cedr(data: Path) -> Iterator[Labelled]:
    """CEDR's train split; it never labels disgust, and «none of five» is its neutral."""
    known = frozenset(PUBLIC) - {"disgust"}
    for row in rows(data / FILES["cedr"]):
        yield Labelled(row["text"], frozenset(row["labels"]) or frozenset({"neutral"}), "cedr", known)


def brighter(data: Path, name: str = "brighter") -> Iterator[Labelled]:
    """BRIGHTER track A (`brighter`, `brighter_dev`)."""
    for row in rows(data / FILES[name]):
        yield Labelled(row["text"], frozenset(row["labels"]) or frozenset({"neutral"}), "brighter")


def brighter_intensities(data: Path, name: str = "track_b") -> Iterator[Labelled]:
    """BRIGHTER track B (`track_b`, `track_b_dev`), a label wherever its intensity is above zero."""
    for row in rows(data / FILES[name]):
        labels = frozenset(label for label, strength in row["intensity"].items() if strength > 0)
        yield Labelled(row["text"], labels or frozenset({"neutral"}), "track_b")


def translated(data: Path, name: str) -> Iterator[Labelled]:
    """`izard` or `goemotions`: machine-translated and noisy."""
    for row in rows(data / FILES[name]):
        if labels := folded_labels(row["labels"]):
            yield Labelled(row["text"], labels, name)


def folded_labels(names: Iterable[str]) -> frozenset[str]:
    """Fine-grained names as the labels of public sets, neutral only if alone; empty if none of them fits."""
    labels = frozenset(_FINE[name] for name in names if name in _FINE)
    return labels - {"neutral"} if len(labels) > 1 else labels


def seed(rows_: Iterable[seed_corpus.SeedRow]) -> Iterator[Labelled]:
    """Replies of the seed corpus under the labels that public sets have; sympathy is left out."""
    for row in rows_:
        if row.emotion in SEED_LABELS:
            yield Labelled(row.reply, frozenset({SEED_LABELS[row.emotion]}), "seed")


def seed_with_sympathy(rows_: Iterable[seed_corpus.SeedRow]) -> Iterator[Labelled]:
    """All replies of the seed corpus; sympathy is a label of its own."""
    everything = frozenset(LABELS)
    for row in rows_:
        if label := SEED_LABELS.get(row.emotion):
            yield Labelled(row.reply, frozenset({label}), "seed", everything)
        else:
            yield Labelled(row.reply, frozenset({SYMPATHY}), "seed", everything - BESIDE_SYMPATHY)


def share(text: str, salt: str) -> float:
    """A stable number in [0, 1) for splitting by text."""
    folded = " ".join(text.lower().replace("ё", "е").split())
    return int(hashlib.sha256(f"{salt}\0{folded}".encode()).hexdigest()[:8], 16) / 2**32


def without(wanted: Iterable[Labelled], banned: Iterable[Labelled]) -> list[Labelled]:
    """`wanted` less every text that also stands in `banned`, case and spacing aside, and less repeats."""
    seen = {" ".join(row.text.lower().split()) for row in banned}
    kept: list[Labelled] = []
    for row in wanted:
        key = " ".join(row.text.lower().split())
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def f1(predicted: Sequence[bool], actual: Sequence[bool]) -> float:
    """F1 of one label; 0 where nothing is right."""
    hits = sum(1 for one, two in zip(predicted, actual, strict=True) if one and two)
    total = sum(predicted) + sum(actual)
    return 2 * hits / total if total else 0.0


def macro_f1(
    probabilities: Sequence[Mapping[str, float]],
    actual: Sequence[Labelled],
    thresholds: Mapping[str, float],
    labels: Sequence[str],
) -> dict[str, float]:
    """F1 of each label on the rows that know it, and their mean under `macro`."""
    scores = {}
    for label in labels:
        pairs = [
            (p[label], label in row.labels) for p, row in zip(probabilities, actual, strict=True) if label in row.known
        ]
        scores[label] = f1([p >= thresholds[label] for p, _ in pairs], [is_true for _, is_true in pairs])
    return {**scores, "macro": sum(scores.values()) / len(scores)}


def calibrate(probabilities: Sequence[Mapping[str, float]], actual: Sequence[Labelled]) -> dict[str, float]:
    """The threshold of every label with the best F1 on rows that know the label; the middle one among equals."""
    grid = [step / 100 for step in range(10, 91, 2)]
    thresholds: dict[str, float] = {}
    for label in LABELS:
        pairs = [
            (p[label], label in row.labels) for p, row in zip(probabilities, actual, strict=True) if label in row.known
        ]
        scores = [f1([p >= cut for p, _ in pairs], [is_true for _, is_true in pairs]) for cut in grid]
        best = [cut for cut, score in zip(grid, scores, strict=True) if score >= max(scores) - 1e-9]
        thresholds[label] = best[len(best) // 2]
    return thresholds
