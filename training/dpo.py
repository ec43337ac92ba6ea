"""Direct preference optimisation (Rafailov et al. 2023) by TRL's DPOTrainer, on pairs of answers to one prompt.

Rows are rendered by what serves and go in as token ids. The formula is `objectives.dpo_loss`; tests hold both together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from storage.presets import Presets
from training import bases, preferences, tuning
from training.preferences import ReferencedRecipe
from training.runs import Run

Loss = Literal["sigmoid", "robust", "hinge", "ipo", "sigmoid_norm", "apo_zero", "apo_down"]


class DpoRecipe(ReferencedRecipe):
    """Keys of `recipes/dpo_*.yaml`."""

    beta: float = Field(default=0.1, gt=0, description="Larger: the tuned model stays closer to the reference.")
    loss: Loss = Field(
        default="sigmoid",
        description="sigmoid: the paper's. robust: for mislabelled pairs (arXiv:2403.00409). hinge: SLiC. ipo: "
        "arXiv:2310.12036. sigmoid_norm: by answer length. apo_zero, apo_down: arXiv:2408.06266.",
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5, description="Share of wrong pairs; needs loss: robust.")
    sft_weight: float = Field(default=0.0, ge=0, description="Adds so much of the chosen answer's cross-entropy.")

    @model_validator(mode="after")
    def _smoothing(self) -> DpoRecipe:
        if self.label_smoothing and self.loss != "robust":
            raise ValueError("`label_smoothing` needs loss: robust")
        return self


def main(recipe: DpoRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the folder of the adapter, or of the tuned model."""
    from trl import DPOConfig

    run = Run(storage, "dpo", recipe, resume)
    mixed = recipe.sft_weight > 0
    config = DPOConfig(
        **tuning.arguments(recipe, run),
        beta=recipe.beta,
        loss_type=[recipe.loss, "sft"] if mixed else [recipe.loss],
        loss_weights=[1.0, recipe.sft_weight] if mixed else None,
        label_smoothing=recipe.label_smoothing,
        max_length=None,  # rows that are too long were left out
    )
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    first = config.main_process_first(desc="rows")
    train, held = preferences.pairs(run, recipe, tokenizer, storage, presets, first)
    trainer = build(recipe, config, train, held, tokenizer)
    return tuning.fit(trainer, run, recipe, resume, lambda to: preferences.export(trainer, recipe, tokenizer, to))


def build(recipe: DpoRecipe, config: Any, train: Any, held: Any, tokenizer: Any) -> Any:
    """The trainer on tables of token ids."""
    from trl import DPOTrainer

    class OnTokens(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset  # rendered and tokenized already

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
