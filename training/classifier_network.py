"""The network of a tuned classifier: a base with a head for the run's labels, its loss, and how it is made ready.

Knows labels and held-out rows; nothing of files that rows come from. Imported only where a Trainer runs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog
import torch
from torch.nn import functional
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from models.classifier import DEFAULT_THRESHOLD
from models.sequence_classifier import SequenceClassifier
from training import calibration
from training.bases import head_labels, load_model
from training.calibration import Numbers, Truth
from training.data.emotions import Labelled
from training.evaluation import labels as tables
from training.labels import UNKNOWN, Labels
from training.recipes import RecipeError

if TYPE_CHECKING:
    from training.classifier import ClassifierRecipe

log = structlog.get_logger(__name__)

PROBLEMS = {"single": "single_label_classification", "multi": "multi_label_classification"}


def load(recipe: ClassifierRecipe, labels: Labels, tokenizer: Any) -> Any:
    """The base with a head for the labels: its own one if it already has just these, else a new one by the seed."""
    set_seed(recipe.seed)
    with _silent():
        model = load_model(
            recipe.base,
            revision=recipe.revision,
            # Rates that suit an encoder are too small for bfloat16 weights; a GPU still computes in it.
            precision="float32" if recipe.precision == "auto" else recipe.precision,
            attention=recipe.attention,
            labels=len(labels.names),
            replace_head=True,
        )
    limit = getattr(model.config, "max_position_embeddings", recipe.longest)
    if recipe.longest > limit:
        raise RecipeError(f"longest: {recipe.base} reads at most {limit} tokens, not {recipe.longest}")
    if head_labels(recipe.base, recipe.revision) != labels.names:
        _renew(model, len(labels.names))
    model.config.id2label = dict(enumerate(labels.names))
    model.config.label2id = {name: index for index, name in enumerate(labels.names)}
    model.config.problem_type = PROBLEMS[labels.task]
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if recipe.lora is None:
        return model
    from peft import get_peft_model

    return get_peft_model(model, recipe.lora.config(model, "SEQ_CLS"))


def weighted_loss(labels: Labels, weights: Mapping[str, float]) -> Callable[..., Any]:
    """Cross-entropy with a weight for each label (single), or binary cross-entropy with one for its presence (multi).

    The mean over texts (single) or over known cells (multi) of all the texts of an optimizer step, so that
    accumulated and distributed steps add up to the same.
    """
    given = torch.tensor([weights[name] for name in labels.names])

    def loss(outputs: Any, actual: Any, num_items_in_batch: Any = None) -> Any:
        logits = outputs.logits.float()
        own = given.to(logits.device)
        known = actual != UNKNOWN
        count = known.sum() if num_items_in_batch is None else num_items_in_batch
        if labels.task == "single":
            return functional.cross_entropy(logits, actual, weight=own, reduction="sum") / count
        each = functional.binary_cross_entropy_with_logits(
            logits, actual.clamp(min=0), pos_weight=own, reduction="none"
        )
        return (each * known).sum() / count

    return loss


def rough(predicted: Any, labels: Labels) -> dict[str, float]:
    """Macro-F1 before any calibration: the likeliest label, or those over one half."""
    logits, actual = np.asarray(predicted.predictions, dtype=np.float64), predicted.label_ids
    decided = logits > 0 if labels.task == "multi" else _one_hot(logits.argmax(axis=1), logits.shape[1])
    there = actual == 1 if labels.task == "multi" else _one_hot(actual, logits.shape[1])
    known = actual != UNKNOWN if labels.task == "multi" else np.ones_like(there)
    return {"macro_f1": calibration.score(decided, Truth(there, known)).macro_f1}


@dataclass(frozen=True)
class Finished:
    """A saved classifier and what it says of the held-out rows."""

    labels: Labels
    rows: Sequence[Labelled]
    probabilities: Numbers
    thresholds: Mapping[str, float]
    lines: Sequence[str]

    def report(
        self, learned: Sequence[Labelled], trained: Mapping[str, int], weights: Mapping[str, float]
    ) -> list[str]:
        """Scores beside TF-IDF on `learned`, if there are such rows; a line for each label; the confusion."""
        own = tables.judge(self.probabilities, self.rows, self.labels)
        other = tables.reference(learned, self.rows, self.labels) if learned else None
        compared = [f"- TF-IDF and logistic regression learned from {len(learned)} rows"] if other else []
        return [
            *self.lines,
            *compared,
            "",
            *tables.summary(own, other, self.labels),
            "",
            *tables.by_label(own, other, self.rows, self.labels, trained, weights, self.thresholds),
            "",
            "Share of the likeliest label (share over the label's threshold):",
            "",
            *tables.confusion(self.probabilities, self.rows, self.labels, self.thresholds),
        ]


def finish(trainer: Any, labels: Labels, rows: Sequence[Labelled], folder: Path) -> Finished:
    """Merge, calibrate by what the worker itself computes, and save model, tokenizer and thresholds."""
    model, tokenizer = _merged(trainer.accelerator.unwrap_model(trainer.model)).eval(), trainer.processing_class
    truth = Truth.of(rows, labels.names)
    found = SequenceClassifier(model, tokenizer, "", {}).classify([row.text for row in rows])
    raw = np.array([[one[name] for name in labels.names] for one in found])
    head = head_of(model, len(labels.names))
    # Without a linear head nothing can be divided: probabilities stay as they are.
    degree = 1.0 if head is None else calibration.temperature(raw, truth, labels.task)
    if head is not None:
        cool(head, degree)
    probabilities = calibration.at_temperature(raw, degree, labels.task)
    cuts = map(float, calibration.thresholds(probabilities, truth))
    thresholds = {name: round(cut, 6) for name, cut in zip(labels.names, cuts, strict=True)}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    text = json.dumps(thresholds, ensure_ascii=False, indent=1) + "\n"
    (folder / "thresholds.json").write_text(text, encoding="utf-8")
    before, after = (calibration.surprise(one, truth, labels.task) for one in (raw, probabilities))
    lines = [
        f"- held-out rows: {len(rows)}; every half of them is judged with thresholds that the other half set",
        f"- temperature {degree:.3f}: negative log-likelihood {before:.4f} → {after:.4f}",
    ]
    return Finished(labels, rows, probabilities, thresholds, [*lines, *_unseen(labels, rows)])


def _merged(model: Any) -> Any:
    from peft import PeftModel

    # A copy, so that the trainer's own parameters can still be counted.
    return copy.deepcopy(model).merge_and_unload() if isinstance(model, PeftModel) else model


def _unseen(labels: Labels, rows: Sequence[Labelled]) -> list[str]:
    unseen = [name for name in labels.names if not any(name in row.labels for row in rows)]
    if not unseen:
        return []
    log.warning("labels_without_held_out_rows", labels=unseen, threshold=DEFAULT_THRESHOLD)
    return [f"- no held-out row carries {', '.join(unseen)}: threshold {DEFAULT_THRESHOLD}"]


def head_of(model: Any, outputs: int) -> Any:
    """The last linear layer outside the encoder with so many outputs; None if there is none."""
    inner = f"{model.base_model_prefix}."
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == outputs and not name.startswith(inner)
    ]
    return found[-1] if found else None


@torch.no_grad()
def cool(head: Any, degree: float) -> None:
    """Divide the logits by `degree`, in the last layer's weights."""
    head.weight.div_(degree)
    if head.bias is not None:
        head.bias.div_(degree)


@torch.no_grad()
def _renew(model: Any, outputs: int) -> None:
    head = head_of(model, outputs)
    if head is None:
        return
    head.weight.normal_(std=getattr(model.config, "initializer_range", 0.02))
    if head.bias is not None:
        head.bias.zero_()


@contextmanager
def _silent() -> Iterator[None]:
    """Without the library's long table of weights that a new head lacks."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


def _one_hot(indices: Any, width: int) -> Any:
    return np.eye(width, dtype=np.bool_)[indices]
