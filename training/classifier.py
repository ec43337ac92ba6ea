"""A classifier on any encoder and any labelled set: one label a text or several, calibrated for the worker.

Learns from texts with labels, or from answers with their emotion as the label. The held-out rows set the temperature,
which goes into the last layer's weights, and a threshold for each label; the worker serves the folder as it is
(MODELS_CLASSIFIER). Knows nothing of how the bundled classifier was made from nothing (`starter_classifier.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from models.classifier import normalise
from storage.presets import Presets
from training import bases, tuning
from training.bases import Lora
from training.data.emotions import Labelled
from training.data.rows import Row
from training.data.sets import PreparedSet
from training.labels import LabelError, Labels, Survey, Task, choose, given_weights, inverse_frequency, survey
from training.runs import Run
from training.tokens import Encoder, table
from training.tuning import TuningRecipe


class ClassifierRecipe(TuningRecipe):
    """Keys of `recipes/classifier_*.yaml`."""

    task: Task = Field(description="single: one label a text. multi: any number, also none.")
    labels: tuple[str, ...] | None = Field(default=None, description="In the outputs' order; unset: those in the data.")
    class_weights: Literal["auto", "none"] | dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default="auto", description="auto: inverse frequency, so that rare labels count; or label → weight, 1 unnamed."
    )
    weight_limit: float = Field(default=10.0, ge=1, description="auto weights stay between 1 / this and this.")
    unsaid: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="multi: the beginning of rows' origins (a file's name) → labels that this source never gives; "
        "that such rows lack them teaches nothing.",
    )
    least_rows: int = Field(default=8, ge=1, description="Training rows that every label must have.")
    calibrate_rows: int = Field(default=5000, ge=1, description="Held-out rows for thresholds and report, at most.")
    reference_rows: int = Field(default=20_000, ge=0, description="Rows that TF-IDF learns for the report; 0: none.")
    lora: Lora | None = Field(default=None, description="Merged before saving; null: all weights are tuned.")
    longest: int = Field(default=128, ge=8, description="Tokens of a text; the rest is cut, as serving does at 256.")
    rows: int = Field(default=32, ge=1, description="Rows a step and process.")
    learning_rate: float = Field(default=3e-5, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)

    @field_validator("labels")
    @classmethod
    def _apart(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        names = tuple(map(normalise, given or ()))
        if len(set(names)) < len(names):
            raise ValueError(f"two labels mean the same where they are served: {', '.join(names)}")
        return names or None

    @model_validator(mode="after")
    def _sensible(self) -> ClassifierRecipe:
        if self.quantization != "none":
            raise ValueError("an encoder is tuned in full precision: quantization must be none")
        if self.unsaid and self.task == "single":
            raise ValueError("`unsaid` is for task: multi; with one label a text the others are known to be absent")
        return self


def main(recipe: ClassifierRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, calibrate, measure; returns the folder that MODELS_CLASSIFIER takes."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    from training import classifier_network as network

    run = Run(storage, "classifier", recipe, resume)
    recipe = recipe.model_copy(update={"output": recipe.output or run.folder / "classifier"})
    config = TrainingArguments(**tuning.arguments(recipe, run), label_names=["labels"], remove_unused_columns=False)
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision, answers=False)
    encoder = Encoder(tokenizer, presets, recipe.longest)
    with config.main_process_first(desc="rows"):
        prepared = tuning.rows(recipe, storage, presets)
        labels, found = _labels(recipe, prepared)
        rows = _held_out(recipe, prepared, labels)
        train = table(run.folder / "tokens" / "train.arrow", encoded(encoder, labels, labels.read(prepared.train(Row))))
        tuning.manifest(run, recipe, prepared, encoder)
        held = tuning.held_out(run, recipe, encoded(encoder, labels, rows))
    weights = class_weights(recipe, found, labels)
    trainer = Trainer(
        model=network.load(recipe, labels, tokenizer),
        args=config,
        train_dataset=train,
        eval_dataset=held,
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_loss_func=network.weighted_loss(labels, weights),
        compute_metrics=lambda predicted: network.rough(predicted, labels),
    )

    def export(folder: Path) -> list[str]:
        learned = list(itertools.islice(labels.read(prepared.train(Row)), recipe.reference_rows))
        return network.finish(trainer, labels, rows, folder).report(learned, found.counts, weights)

    return tuning.fit(trainer, run, recipe, resume, export)


def encoded(encoder: Encoder, labels: Labels, rows: Iterable[Labelled]) -> Iterator[dict[str, Any]]:
    """`input_ids`, cut at `longest`, and `labels` as the loss takes them."""
    for row in rows:
        ids = encoder.tokenizer(row.text, truncation=True, max_length=encoder.longest)["input_ids"]
        encoder.counts["kept"] += 1
        encoder.counts["tokens"] += len(ids)
        encoder.counts["full_length"] += len(ids) == encoder.longest
        yield {"input_ids": ids, "labels": labels.target(row)}


def class_weights(recipe: ClassifierRecipe, found: Survey, labels: Labels) -> dict[str, float]:
    """What each label weighs in the loss."""
    if isinstance(recipe.class_weights, dict):
        return given_weights({normalise(one): weight for one, weight in recipe.class_weights.items()}, labels.names)
    if recipe.class_weights == "none":
        return dict.fromkeys(labels.names, 1.0)
    return inverse_frequency(found, labels.names, labels.task, recipe.weight_limit)


def _labels(recipe: ClassifierRecipe, prepared: PreparedSet) -> tuple[Labels, Survey]:
    unsaid = {start: frozenset(map(normalise, names)) for start, names in recipe.unsaid.items()}
    found = survey(prepared.train(Row), unsaid)
    names = choose(
        found, recipe.task, recipe.labels, bases.head_labels(recipe.base, recipe.revision), recipe.least_rows
    )
    return Labels(recipe.task, names, unsaid), found


def _held_out(recipe: ClassifierRecipe, prepared: PreparedSet, labels: Labels) -> Sequence[Labelled]:
    rows = list(itertools.islice(labels.read(prepared.held_out(Row)), recipe.calibrate_rows))
    if not rows:
        raise LabelError(
            "data: no labelled row is held out, and thresholds are not to be set on rows that were learned: raise "
            "split.held_out where the set is made"
        )
    return rows
