"""Signs that a system stuffs keywords or has collapsed: measurable ones, each against people's answers or a base.

Classifiers that pick are pleased by «Радость! Я так рад! Радость!», and by a string of synonyms the gate is too. What
gives such answers away is that they name the emotion instead of carrying it, repeat themselves, and are made of the
same words whatever was asked. Pure: knows samples and columns, no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.presets import Preset, Presets
from training.evaluation.metrics.column import Absent, Better, Column, Values
from training.evaluation.metrics.registry import Measured
from training.evaluation.metrics.words import stemmer, words
from training.evaluation.samples import Sample
from training.evaluation.statistics import Difference, difference

TITLE = Column("title_share", "Words that name the emotion", "Слова, называющие эмоцию", "lower")
# Stems shorter than this begin too many other words.
LEAST_STEM = 4


@dataclass(frozen=True)
class Sign:
    """What is suspicious of a column: a difference this way and at least so large, beside being shown."""

    column: str
    way: Better
    least: float
    english: str
    russian: str


SIGNS = (
    Sign("title_share", "higher", 0.03, "answers name the emotion instead of carrying it",
         "ответы называют эмоцию вместо того, чтобы её нести"),
    Sign("shared2", "higher", 0.3, "answers to different messages are made of the same words",
         "ответы на разные сообщения состоят из одних и тех же слов"),
    Sign("repetition", "higher", 0.05, "answers repeat themselves", "ответы повторяют сами себя"),
    Sign("distinct1", "lower", 0.1, "answers say the same words again and again",
         "в ответах снова и снова одни и те же слова"),
    Sign("acceptability", "lower", 0.05, "sentences are less like those that people write",
         "предложения меньше похожи на человеческие"),
    Sign("emotion_hit", "lower", 0.1, "the gate sees less of the emotion",
         "независимый классификатор видит меньше эмоции"),
    Sign("gap", "higher", 0.05, "the picking classifier is pleased more than the gate",
         "выбирающий классификатор доволен больше независимого"),
)  # fmt: skip


@dataclass(frozen=True)
class Suspicion:
    """A sign that was found in a system."""

    sign: Sign
    difference: Difference

    def words(self, language: str = "en") -> str:
        """The sign with its numbers, in English or Russian."""
        one = self.difference.interval
        what = self.sign.russian if language == "ru" else self.sign.english
        return f"{what} ({self.sign.column} {one.mean:+.2f} [{one.low:+.2f}, {one.high:+.2f}], n {one.n})"


def title_share(samples: Sequence[Sample], presets: Presets) -> Values:
    """The share of an answer's words that begin with the stem of its preset's title, 0 to 1; None without an emotion,
    without words, or where the stem is too short to tell («страх» is long enough)."""
    stem = stemmer()
    found: Values = []
    for sample in samples:
        preset = presets.find(sample.emotion) if sample.emotion else None
        own = words(sample.answer)
        if not isinstance(preset, Preset) or not own:
            found.append(None)
            continue
        stems = [root for word in words(preset.title) if len(root := stem(word)) >= LEAST_STEM]
        found.append(sum(word.startswith(tuple(stems)) for word in own) / len(own) if stems else None)
    return found


def suspicions(found: Mapping[str, Values | Absent], against: Mapping[str, Values | Absent]) -> list[Suspicion]:
    """The signs that `found` shows against `against`, values of the same prompts in the same order.

    `against` are people's answers to these prompts, or those of the model before its training. Columns that either
    lacks say nothing, and neither do fewer prompts than a difference can be shown on.
    """
    told: list[Suspicion] = []
    for sign in SIGNS:
        pairs = _pairs(found.get(sign.column), against.get(sign.column))
        if not pairs:
            continue
        shown = difference([one for one, _ in pairs], [two for _, two in pairs])
        if shown.verdict == sign.way and abs(shown.interval.mean) >= sign.least:
            told.append(Suspicion(sign, shown))
    return told


def references(samples: Sequence[Sample]) -> list[Sample]:
    """People's answers in place of the system's, where the set has one for every sample; [] otherwise."""
    if not all(sample.reference for sample in samples):
        return []
    return [
        sample.model_copy(update={"answer": sample.reference, "system": "references", "finished": True, "tokens": 0})
        for sample in samples
    ]


def _pairs(one: Values | Absent | None, other: Values | Absent | None) -> list[tuple[float, float]]:
    if one is None or other is None or isinstance(one, Absent) or isinstance(other, Absent):
        return []
    return [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]


def measured(samples: Sequence[Sample], presets: Presets) -> Measured:
    """The column that this file measures itself."""
    return {TITLE.name: title_share(samples, presets)}
