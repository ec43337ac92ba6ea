"""`emotions`: a classifier reads which emotion an answer is in; certainty stands for intensity; emotions are balanced.

Knows classifier folders and presets; nothing of models that generate.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Literal, Protocol

import structlog
from pydantic import Field

from storage.presets import Presets
from training.data.conversations import CERTAINTY
from training.data.rows import Answer, Dialogue, Feedback, Row, dump
from training.data.steps.keys import key
from training.data.steps.part import Context, Counts, Input, Part
from training.data.steps.spool import Spool
from training.recipes import RecipeError

log = structlog.get_logger(__name__)

BATCH = 512
SCANT = 10  # times fewer rows than there were: the rarest emotion is too rare to even out by
PLAIN = "plain"


class Reads(Protocol):
    """The part of a classifier that is needed here."""

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities by label."""


class Emotions(Part):
    """Sets emotion and intensity of answers that are in exactly one emotion; then evens out how many each has.

    Which rows stay when an emotion has too many is a stable hash's choice, not that of their order.
    """

    step: Literal["emotions"] = "emotions"
    classifier: str = Field(min_length=1, description="Folder or hub id of a sequence classifier.")
    unsure: Literal["drop", "plain"] = Field(default="drop", description="Answers in no or several emotions.")
    neutral: bool = Field(default=False, description="Whether «neutral» is an emotion here, or no emotion.")
    relabel: bool = Field(default=False, description="Read anew the answers that have an emotion already.")
    balance: Literal["none", "equal"] | Annotated[int, Field(ge=1)] = Field(
        default="none", description="`equal`: as many of each emotion as the rarest has; a number: at most so many."
    )

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        labelled = self._labelled(rows, counts, context.presets)
        return labelled if self.balance == "none" else balanced(labelled, self.balance, counts, context)

    def inputs(self) -> tuple[Input, ...]:
        return (Input(self.classifier, ("*.json", "*.safetensors", "*.txt")),)

    def tools(self) -> tuple[str, ...]:
        return ("torch", "transformers")

    def _labelled(self, rows: Iterator[Row], counts: Counts, presets: Presets) -> Iterator[Row]:
        classifier = _load(self.classifier)
        while batch := list(islice(rows, BATCH)):
            wanted = [row for row in batch if self._wants(row)]
            read = iter(classifier.classify([_answer(row) for row in wanted]) if wanted else [])
            for row in batch:
                if not self._wants(row):
                    yield row
                    continue
                found = reading(next(read), presets, self.neutral)
                if found is None and self.unsure == "drop":
                    counts.dropped["no_single_emotion"] += 1
                    continue
                name, intensity = found or (None, row.intensity)
                counts.found[name or PLAIN] += 1
                counts.changed += 1
                yield row.model_copy(update={"emotion": name, "intensity": intensity})

    def _wants(self, row: Row) -> bool:
        if isinstance(row, Dialogue):
            raise RecipeError("step 'emotions' reads answers: put 'answers' before it, which makes them of dialogues")
        return isinstance(row, Answer | Feedback) and (row.emotion is None or self.relabel)


def reading(probabilities: Mapping[str, float], presets: Presets, neutral: bool) -> tuple[str, int] | None:
    """`(preset id, intensity)` of an answer in one emotion; None if it is in none, in several, or nobody's preset."""
    label = max(probabilities, key=lambda one: probabilities[one])
    step = next((step for least, step in CERTAINTY if probabilities[label] >= least), 0)
    # Of two presets with the same label (sadness, sympathy) the first one is named after it.
    preset = next((one for one in presets.presets if label in one.labels), None)
    if not step or preset is None or (label == "neutral" and not neutral):
        return None
    if any(value >= 0.5 and one not in preset.labels for one, value in probabilities.items()):
        return None
    return preset.id, step


def balanced(
    rows: Iterator[Row], balance: Literal["none", "equal"] | int, counts: Counts, context: Context
) -> Iterator[Row]:
    """At most the same number of rows of each emotion, chosen by hash, in their order. Eight bytes of memory a row."""
    spool = Spool(context.work / "emotions.jsonl")
    keys: dict[str, array[int]] = {}
    try:
        for row in rows:
            keys.setdefault(row.emotion or PLAIN, array("Q")).append(_rank(row))
            spool.add(row)
        emotional = [len(found) for name, found in keys.items() if name != PLAIN]
        most = min(emotional, default=0) if balance == "equal" else int(balance)
        limits = {name: sorted(found)[most - 1] if most <= len(found) else 1 << 64 for name, found in keys.items()}
        if balance == "equal" and most * len(emotional) * SCANT < sum(emotional):
            rarest = min((name for name in keys if name != PLAIN), key=lambda name: len(keys[name]))
            log.warning("balance: equal leaves few rows; name a number instead", rarest=rarest, of_each=most)
        kept: Counter[str] = Counter()
        for row in spool.read():
            name = row.emotion or PLAIN
            if _rank(row) > limits[name] or kept[name] >= most:
                counts.dropped[f"too_many_{name}"] += 1
                continue
            kept[name] += 1
            yield row
    finally:
        spool.close()


def _rank(row: Row) -> int:
    return key(dump(row), "balance")


def _answer(row: Row) -> str:
    return row.answer if isinstance(row, Answer | Feedback) else ""


def _load(where: str) -> Reads:
    from models.errors import ClassifierBroken
    from models.sequence_classifier import SequenceClassifier

    try:
        return SequenceClassifier.load(where)
    except ClassifierBroken as error:
        raise RecipeError(f"emotions: {error}".split("; set MODELS_CLASSIFIER")[0]) from None
