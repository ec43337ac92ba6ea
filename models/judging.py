"""Candidates judged: classified in one batch, checked for defects, the best chosen.

Knows classifier and selection; nothing of engines, rounds or queues.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from models.classifier import Classifier, fit, fits
from models.selection import Scored, defect
from storage.contracts import Candidate
from storage.presets import Preset

log = structlog.get_logger(__name__)


class Judge:
    """Scores candidates against presets; without a classifier only their form is checked."""

    def __init__(self, classifier: Classifier | None) -> None:
        self.classifier = classifier

    @property
    def name(self) -> str | None:
        """The classifier's id, for provenance."""
        return None if self.classifier is None else self.classifier.id

    def probabilities(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities of each text; empty mappings where there is no classifier or it fails on a text."""
        if self.classifier is None or not texts:
            return [{} for _ in texts]
        try:
            found = self.classifier.classify(texts)
            if len(found) != len(texts):
                raise ValueError(f"{len(found)} answers for {len(texts)} texts")
            return found
        except Exception as error:
            if len(texts) == 1:
                log.error("text not classified", error=type(error).__name__)
                return [{}]
        return [self.probabilities([text])[0] for text in texts]

    def score(self, preset: Preset, message: str, candidates: Sequence[Candidate]) -> list[Scored]:
        """Candidates that carry their probabilities already, judged against the preset and the message answered."""
        return [self._one(preset, message, candidate) for candidate in candidates]

    def _one(self, preset: Preset, message: str, candidate: Candidate) -> Scored:
        probability = fit(preset, candidate.probabilities)
        thresholds = self.classifier.thresholds if self.classifier else {}
        verdict = None if probability is None else fits(preset, candidate.probabilities, thresholds)
        return Scored(candidate, verdict, defect(candidate.text, message))

    @staticmethod
    def fill(preset: Preset, candidate: Candidate, probabilities: dict[str, float]) -> Candidate:
        """The candidate with its probabilities and fit (0 where nothing is known)."""
        update = {"probabilities": probabilities, "fit": fit(preset, probabilities) or 0.0}
        return candidate.model_copy(update=update)
