"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024) by TRL's KTOTrainer, on single answers with a thumb.

Rows are rendered by what serves and go in as token ids. The formulas are `objectives.kto_*`; tests hold both together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from storage.presets import Presets
from training import bases, preferences, tuning
from training.data.rows import Feedback, Pair, Row
from training.objectives import kto_weights
from training.preferences import ReferencedRecipe
from training.recipes import RecipeError
from training.runs import Run, main_process


class KtoRecipe(ReferencedRecipe):
    """Keys of `recipes/kto_*.yaml`."""

    beta: float = Field(default=0.1, gt=0, description="Larger: the tuned model stays closer to the reference.")
    loss: Literal["kto", "apo_zero_unpaired"] = Field(
        default="kto", description="apo_zero_unpaired: no reference point is estimated (arXiv:2408.06266)."
    )
    desirable_weight: float | Literal["auto"] = Field(
        default="auto", description="auto, for both: lifts the rarer side until good to bad lies in 1:1 to 4:3."
    )
    undesirable_weight: float | Literal["auto"] = "auto"
    pairs: bool = Field(default=False, description="Take a pair as a liked answer and a disliked one.")

    @model_validator(mode="after")
    def _batch_and_weights(self) -> KtoRecipe:
        if self.loss == "kto" and self.rows < 2:
            raise ValueError("`rows` must be at least 2: the reference point comes from the other rows of a step")
        if (self.desirable_weight == "auto") != (self.undesirable_weight == "auto"):
            raise ValueError("give numbers for both weights, or auto for both")
        if self.order == "group_by_length":
            raise ValueError("order: the rows of a step lend each other their answers, so it is random or sequential")
        return self


def main(recipe: KtoRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the folder of the adapter, or of the tuned model."""
    from trl import KTOConfig

    run = Run(storage, "kto", recipe, resume)
    # Its estimate of the divergence comes from the rows of a batch: they are measured as they are learned from.
    keys = {"train_sampling_strategy": "sequential", "per_device_eval_batch_size": recipe.rows}
    config = KTOConfig(
        **{**tuning.arguments(recipe, run), **keys},
        beta=recipe.beta,
        loss_type=recipe.loss,
        max_length=None,  # rows that are too long were left out
    )
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    encoder = tuning.encoder(recipe, tokenizer, presets)
    with config.main_process_first(desc="rows"):
        prepared = tuning.rows(recipe, storage, presets)

        def encode(rows: Iterable[Row]) -> Iterator[Mapping[str, Any]]:
            return encoder.feedback(thumbs(rows, recipe.pairs))

        train, held = preferences.tables(run, recipe, prepared, encoder, encode, Row)
        if recipe.order == "random":
            train = train.shuffle(seed=recipe.seed)  # the trainer itself goes through them in order
    config.desirable_weight, config.undesirable_weight = weights(recipe, train["label"])
    if main_process():
        run.measure(desirable_weight=config.desirable_weight, undesirable_weight=config.undesirable_weight)
    trainer = build(recipe, config, train, held, tokenizer)
    return tuning.fit(trainer, run, recipe, resume, lambda to: preferences.export(trainer, recipe, tokenizer, to))


def thumbs(rows: Iterable[Row], pairs: bool) -> Iterator[Feedback]:
    """Rows with a thumb: feedback as it is, each pair as two if `pairs`; RecipeError for what cannot be used."""
    for row in rows:
        if isinstance(row, Feedback):
            yield row
        elif isinstance(row, Pair) and pairs:
            shared = row.model_dump(exclude={"kind", "chosen", "rejected"})
            yield Feedback(**shared, answer=row.chosen, desirable=True)
            yield Feedback(**shared, answer=row.rejected, desirable=False)
        elif isinstance(row, Pair):
            raise RecipeError("data: the set has pairs, this method learns from single answers: set `pairs: true`")
        else:
            kind = type(row).model_fields["kind"].default
            raise RecipeError(f"data: the set has rows of kind '{kind}', this method learns from 'feedback'")


def weights(recipe: KtoRecipe, labels: Iterable[bool]) -> tuple[float, float]:
    """`(desirable, undesirable)` weights: the recipe's, or those that balance the labels."""
    if recipe.desirable_weight != "auto" and recipe.undesirable_weight != "auto":
        return recipe.desirable_weight, recipe.undesirable_weight
    marks = list(labels)
    liked = sum(map(bool, marks))
    return kto_weights(liked, len(marks) - liked)


def build(recipe: KtoRecipe, config: Any, train: Any, held: Any, tokenizer: Any) -> Any:
    """The trainer on tables of token ids."""
    from trl import KTOTrainer

    class OnTokens(KTOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            # Rendered and tokenized already; what is missing are the answers that estimate the reference point.
            return dataset.map(_lend, batched=True, batch_size=recipe.rows) if self.calculate_KL else dataset

    trainer = OnTokens(
        args=config,
        train_dataset=train,
        eval_dataset=held,
        processing_class=tokenizer,
        ref_model=preferences.reference(recipe),
        **preferences.starting(recipe),
    )
    preferences.hold_against(trainer, recipe)
    return trainer


def _lend(batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    answers = batch["completion_ids"]
    return {"KL_completion_ids": [answers[index] for index in lenders(batch["prompt_ids"])]}


def lenders(prompts: Sequence[Sequence[int]]) -> list[int]:
    """For each row of a batch the row whose answer it is shown to estimate the reference point: never its own.

    Answers go round by the one step that meets the fewest rows of the same prompt, so that all of the batch's answers
    are used once. A lone row has nobody to borrow from and keeps its own answer.
    """
    count = len(prompts)
    if count < 2:
        return list(range(count))

    def meetings(step: int) -> int:
        return sum(prompts[index] == prompts[index - step] for index in range(count))

    best, fewest = 1, math.inf
    for step in range(1, count):
        if (met := meetings(step)) < fewest:
            best, fewest = step, met
    return [(index - best) % count for index in range(count)]
