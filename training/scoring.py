"""What an answer is worth to a policy: an emotion classifier, a reward model, and plain terms for length and ending.

Every term gives one number an answer; the score is their weighted sum, and each part is reported, so that it shows
which of them a policy earns. Knows nothing of policies or trainers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.presets import Preset, Presets
from training.data.rows import Answer, Feedback, Pair, Row
from training.recipes import RecipeError

# Rows of a dialogue that ends with the person's turn: what a policy can be asked.
Asked = Answer | Pair | Feedback
BATCH = 32


class RewardError(RecipeError):
    """A reward cannot be loaded or gives no number; the text says which and what to do."""


@dataclass(frozen=True)
class Drawn:
    """An answer that a policy gave to a row's prompt. `tokens` counts its own tokens, the end token included."""

    row: Asked
    text: str
    tokens: int
    ended: bool


class Term(Protocol):
    """One number an answer."""

    def __call__(self, drawn: Sequence[Drawn]) -> list[float]: ...


class RewardKeys(BaseModel):
    """The group `reward` of a recipe: at least one of `emotion` and `model`, and terms that are off by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    emotion: str | None = Field(
        default=None, description="Folder or hub id of an emotion classifier: the probability of the row's preset."
    )
    label: str | None = Field(default=None, description="Label wanted of every answer, whatever the row's preset is.")
    model: Path | None = Field(default=None, description="Folder that `otklik train reward` made.")
    model_base: str | None = Field(default=None, description="Where the reward model's base lies now, if it moved.")
    weights: dict[Literal["emotion", "model"], float] = Field(default_factory=dict, description="1 where unset.")
    free_tokens: int = Field(default=0, ge=0, description="Tokens of an answer that cost nothing.")
    token_cost: float = Field(default=0.0, ge=0, description="Taken off for every token beyond the free ones.")
    end_bonus: float = Field(default=0.0, description="Added to an answer that ended by itself, not at the limit.")
    defect_cost: float = Field(
        default=0.0, ge=0, description="Taken off where serving would not send the answer: empty, looping, an echo …"
    )

    @model_validator(mode="after")
    def _something(self) -> RewardKeys:
        if self.emotion is None and self.model is None:
            raise ValueError("give `emotion` (a classifier), `model` (a reward model), or both")
        if self.label is not None and self.emotion is None:
            raise ValueError("`label` is a label of `emotion`'s classifier, which is not given")
        unset = [name for name in self.weights if getattr(self, name) is None]
        if unset:
            raise ValueError(f"weights: nothing is given for {', '.join(unset)}")
        return self


class Reward:
    """Named terms with weights."""

    def __init__(self, terms: Mapping[str, tuple[float, Term]]) -> None:
        self.terms = dict(terms)

    def __call__(self, drawn: Sequence[Drawn]) -> list[dict[str, float]]:
        """The weighted terms of every answer by name; RewardError at one that is no number."""
        found: list[dict[str, float]] = [{} for _ in drawn]
        for name, (weight, term) in self.terms.items():
            for parts, value in zip(found, term(drawn), strict=True):
                if not abs(value) < float("inf"):
                    raise RewardError(f"reward.{name} gave {value} for an answer: it cannot be learned from")
                parts[name] = weight * value
        return found


def total(parts: Mapping[str, float]) -> float:
    """The score of an answer: the sum of its terms."""
    return sum(parts.values())


def load(keys: RewardKeys, presets: Presets) -> Reward:
    """The reward that a recipe describes, its models loaded; RewardError or RecipeError with advice otherwise."""
    terms: dict[str, tuple[float, Term]] = {}
    if keys.emotion is not None:
        terms["emotion"] = (keys.weights.get("emotion", 1.0), EmotionTerm(keys.emotion, keys.label, presets))
    if keys.model is not None:
        terms["model"] = (keys.weights.get("model", 1.0), ModelTerm(keys.model, keys.model_base, presets))
    if keys.token_cost:
        terms["length"] = (
            -keys.token_cost,
            lambda drawn: [float(max(0, one.tokens - keys.free_tokens)) for one in drawn],
        )
    if keys.end_bonus:
        terms["end"] = (keys.end_bonus, lambda drawn: [float(one.ended) for one in drawn])
    if keys.defect_cost:
        terms["defect"] = (-keys.defect_cost, lambda drawn: [float(defective(one)) for one in drawn])
    return Reward(terms)


def defective(drawn: Drawn) -> bool:
    """Whether serving would refuse to send this answer."""
    from models.selection import defect

    return defect(drawn.text, drawn.row.prompt[-1].text) is not None


class EmotionTerm:
    """Probability that the classifier gives to the wanted emotion, 0 to 1; 0 for an empty answer."""

    def __init__(self, where: str, label: str | None, presets: Presets) -> None:
        from models.errors import ModelsError
        from models.sequence_classifier import SequenceClassifier

        try:
            self.classifier = SequenceClassifier.load(where)
        except ModelsError as error:
            raise RewardError(f"reward.emotion: {error}") from error
        if label is not None and label not in self.classifier.labels:
            raise RewardError(f"reward.label: the classifier knows {', '.join(self.classifier.labels)}, not '{label}'")
        self.label, self.presets = label, presets

    def __call__(self, drawn: Sequence[Drawn]) -> list[float]:
        rows = self.classifier.classify([one.text for one in drawn])
        return [
            max(row.get(label, 0.0) for label in self._labels(one.row)) if one.text else 0.0
            for one, row in zip(drawn, rows, strict=True)
        ]

    def _labels(self, row: Row) -> tuple[str, ...]:
        if self.label is not None:
            return (self.label,)
        preset = self.presets.find(row.emotion) if row.emotion else None
        if not isinstance(preset, Preset):
            raise RewardError(
                f"reward.emotion: {row.origin or 'a row'} names no preset (emotion: {row.emotion}), so there is "
                "nothing to reward: take rows with an emotion, or give reward.label"
            )
        known = tuple(label for label in preset.labels if label in self.classifier.labels)
        if not known:
            raise RewardError(
                f"reward.emotion: the classifier knows no label of the preset '{preset.id}': leave its rows out"
            )
        return known


class ModelTerm:
    """The scalar of a reward model for the prompt as serving renders it, with the answer and its end token."""

    def __init__(self, folder: Path, base: str | None, presets: Presets) -> None:
        from training import reward

        _require_head(folder)
        self.scorer, self.presets = reward.load(folder, base), presets
        limit = getattr(self.scorer.model.config.get_text_config(), "max_position_embeddings", None)
        self.longest = int(limit) if limit else None

    def __call__(self, drawn: Sequence[Drawn]) -> list[float]:
        ids = [self._ids(one) for one in drawn]
        # Rows of like length together: little of a batch is padding.
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        scores = self.scorer.scores([ids[index] for index in order], BATCH)
        found = dict(zip(order, scores, strict=True))
        return [found[index] for index in range(len(ids))]

    def _ids(self, one: Drawn) -> list[int]:
        from training.tokens import answer_ids, prompt_ids

        tokenizer = self.scorer.tokenizer
        prompt = prompt_ids(tokenizer, one.row, one.row.prompt, self.presets)
        ids = [*prompt, *answer_ids(tokenizer, one.text)]
        # Beyond its context a model's numbers mean nothing; the answer stands at the end.
        return ids if self.longest is None else ids[-self.longest :]


def _require_head(folder: Path) -> None:
    """RewardError unless the folder brings a scoring head: without one its weights, and every reward, are random."""
    adapter, whole = folder / "adapter_config.json", folder / "config.json"
    if adapter.is_file():
        scores = json.loads(adapter.read_text(encoding="utf-8")).get("task_type") == "SEQ_CLS"
    elif whole.is_file():
        kinds = json.loads(whole.read_text(encoding="utf-8")).get("architectures") or [""]
        scores = kinds[0].endswith("ForSequenceClassification")
    else:
        raise RewardError(f"reward.model: {folder} holds no model; make a reward model: otklik train reward")
    if not scores:
        raise RewardError(
            f"reward.model: {folder} has no scoring head, so it is no reward model; make one: otklik train reward"
        )
