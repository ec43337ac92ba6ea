"""Which emotion a text carries: a sequence classifier by path or hub id, or a small lexicon for the echo engine.

Knows nothing of candidates or requests; presets only name the labels that count as a fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from storage.presets import Preset

DEFAULT_THRESHOLD = 0.5

# What published Russian and English emotion classifiers call our labels.
SYNONYMS = {
    "радость": "joy",
    "happiness": "joy",
    "happy": "joy",
    "грусть": "sadness",
    "печаль": "sadness",
    "sad": "sadness",
    "удивление": "surprise",
    "страх": "fear",
    "злость": "anger",
    "гнев": "anger",
    "angry": "anger",
    "отвращение": "disgust",
    "нейтрально": "neutral",
    "нейтральность": "neutral",
    "no_emotion": "neutral",
    "no emotion": "neutral",
    "none": "neutral",
    "сочувствие": "sympathy",
    "caring": "sympathy",
}


class Classifier(Protocol):
    """Probabilities of emotions by label."""

    @property
    def id(self) -> str:
        """Name for provenance."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that it knows, normalised."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """From which probability on a label counts as present."""

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities by label, one mapping a text."""


def normalise(label: str) -> str:
    """A classifier's own label as one of ours where it means one, else in lower case."""
    name = label.strip().lower()
    return SYNONYMS.get(name, name)


def fit(preset: Preset, probabilities: Mapping[str, float]) -> float | None:
    """Probability that a text carries a preset's emotion: its best label; None if the classifier knows none of them."""
    known = [probabilities[label] for label in preset.labels if label in probabilities]
    return max(known) if known else None


def fits(preset: Preset, probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> bool:
    """Whether any of the preset's labels reaches its threshold."""
    return any(
        probabilities[label] >= thresholds.get(label, DEFAULT_THRESHOLD)
        for label in preset.labels
        if label in probabilities
    )


def present(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> list[str]:
    """Labels that reach their thresholds, most probable first."""
    found = [label for label, p in probabilities.items() if p >= thresholds.get(label, DEFAULT_THRESHOLD)]
    return sorted(found, key=lambda label: -probabilities[label])


def strongest(probabilities: Mapping[str, float]) -> str:
    """The most probable label."""
    return max(probabilities, key=lambda label: probabilities[label])


def read_thresholds(folder: Path) -> dict[str, float]:
    """`thresholds.json` beside a classifier, `{label: threshold}`; empty if there is none. ValueError if damaged."""
    file = folder / "thresholds.json"
    if not file.is_file():
        return {}
    raw = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(raw, dict):
        raise ValueError(f"{file} is not a mapping of label to threshold")
    return {normalise(str(label)): float(value) for label, value in raw.items()}


# Stems, for tests and load tests only: no claim to understand Russian.
LEXICON = {
    "joy": ("радост", "рад", "ура", "счаст", "здорово", "класс"),
    # Sympathy counts as sadness, as for any classifier without a label for it.
    "sadness": ("груст", "печал", "тоск", "плач", "жаль", "сочувств", "понимаю тебя", "обнима"),
    "surprise": ("удивл", "ого", "неужели", "вот это да"),
    "fear": ("страх", "страшн", "боюсь", "тревож", "жутк"),
    "anger": ("злост", "злю", "бесит", "ярост", "ненавиж"),
    "disgust": ("отвра", "фу", "мерзк", "гадост", "тошн"),
    "neutral": ("нейтральн",),
}


class LexiconClassifier:
    """Counts stems. A leading «[радость]», as the echo engine writes, outweighs everything after it."""

    id = "lexicon"
    labels = tuple(LEXICON)
    thresholds: Mapping[str, float] = {}

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [self._one(text.lower()) for text in texts]

    def _one(self, text: str) -> dict[str, float]:
        marker = re.match(r"\[([^\]]*)\]", text)
        weights = {label: self._hits(text, stems) for label, stems in LEXICON.items()}
        if marker:
            weights = {label: 20 * self._hits(marker[1], LEXICON[label]) + hits for label, hits in weights.items()}
        if not any(weights.values()):
            weights["neutral"] = 4
        total = sum(weights.values()) + 0.05 * len(weights)
        return {label: (weight + 0.05) / total for label, weight in weights.items()}

    @staticmethod
    def _hits(text: str, stems: Sequence[str]) -> int:
        return sum(len(re.findall(rf"\b{re.escape(stem)}", text)) for stem in stems)
