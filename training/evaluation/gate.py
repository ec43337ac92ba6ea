"""The gate: an emotion classifier that no training and no picking step has seen, and how good it is itself.

A folder or hub id of a sequence classifier, or TF-IDF fitted on data that the shipped classifier never saw: `seed` (the
part of the seed corpus kept for judges) or `judge:FOLDER` (that and the public sets). Knows texts and labels only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from models.classifier import Classifier, strongest
from training.data import emotions, seed_corpus
from training.data.emotion_sets import for_judges
from training.data.emotions import LABELS, Labelled
from training.evaluation.statistics import Interval, interval
from training.evaluation.tfidf import TfIdf
from training.recipes import RecipeError

SEED = "seed"
JUDGE = "judge:"
# As the shipped classifier's recipe has it: its share of the seed corpus; the rest is left for judges.
SEED_SHARE = 0.7


FITTED = "TF-IDF on the seed corpus's share for judges"
FITTED_MORE = "TF-IDF on izard, goemotions and the seed corpus's share for judges"
RUSSIAN = {
    FITTED: "TF-IDF на доле затравочного корпуса, отложенной для судей",
    FITTED_MORE: "TF-IDF на izard, goemotions и доле затравочного корпуса, отложенной для судей",
}


class GateError(RecipeError):
    """A gate cannot be loaded, or is no independent opinion; the text says what to do."""


class Opinion(Protocol):
    """What gate and picker are asked: likelihoods of emotions by label."""

    @property
    def id(self) -> str:
        """Name for reports."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that it can give."""

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities by label, one mapping a text."""


class FittedGate:
    """TF-IDF as an opinion."""

    def __init__(self, model: TfIdf, name: str) -> None:
        self.model = model
        self.id = name
        self.labels = model.labels

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return self.model.rows(texts) if texts else []


def load(where: str, picker: Classifier | None = None, device: str = "auto") -> Opinion:
    """The gate of a name; GateError if it cannot be loaded or is the classifier that picks."""
    if where == SEED:
        return _seed(seed_corpus.FOLDER)
    if where.startswith(JUDGE):
        return _judge(Path(where.removeprefix(JUDGE)))
    from models.errors import ModelsError
    from models.sequence_classifier import SequenceClassifier

    try:
        gate = SequenceClassifier.load(where, device=device)
    except ModelsError as error:
        raise GateError(f"--gate: {error}") from error
    if picker is not None and gate.id == picker.id:
        raise GateError(
            f"--gate: {gate.id} is the classifier that picks answers, so it cannot judge them: name another one, "
            "trained on other data, or `seed`"
        )
    return gate


def titled(name: str, language: str) -> str:
    """A gate's id as people read it in English or Russian."""
    return RUSSIAN.get(name, name) if language == "ru" else name


def seed_rows() -> list[Labelled]:
    """Replies of the seed corpus's training part that the shipped classifier was not shown."""
    return for_judges(SEED_SHARE)


def accuracy(gate: Opinion, rows: Sequence[Labelled]) -> tuple[Interval, dict[str, float]]:
    """How often the gate's likeliest label is among a text's own, and F1 by label at 0.5 with its mean as `macro`.

    ValueError without rows that the gate's labels can name.
    """
    spoken = {label for row in rows for label in row.known}
    wanted = tuple(label for label in LABELS if label in gate.labels and label in spoken)
    rows = [row for row in rows if row.labels & set(wanted)]
    found = gate.classify([row.text for row in rows])
    right = interval([float(strongest(one) in row.labels) for one, row in zip(found, rows, strict=True)])
    return right, emotions.macro_f1(found, rows, dict.fromkeys(wanted, 0.5), wanted)


def dev_sets(data: Path | None) -> Mapping[str, list[Labelled]]:
    """What gates are measured on: held-out seed replies, and the dev splits of CEDR and BRIGHTER where they are."""
    from training.data.emotion_sets import gather

    return {name: rows for name, rows in gather(data, SEED_SHARE).items() if name.endswith("_dev")}


@cache
def _seed(corpus: Path) -> Opinion:
    # The rows of one corpus give the same weights each time, and learning them takes seconds.
    return FittedGate(TfIdf.fit(seed_rows()), FITTED)


def _judge(data: Path) -> Opinion:
    from training.evaluation import judge

    try:
        return FittedGate(judge.fit(data, SEED_SHARE), FITTED_MORE)
    except FileNotFoundError as error:
        raise GateError(
            f"--gate: {error.filename} is missing; `{JUDGE}FOLDER` needs the public emotion sets there, `{SEED}` "
            "needs nothing"
        ) from error
