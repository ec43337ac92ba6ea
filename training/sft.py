"""Supervised tuning: LoRA, QLoRA or all weights, loss on the answer's tokens only, by TRL's SFTTrainer.

Rows are rendered by what serves. Knows nothing of ratings or of how a set was made.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from storage.presets import Presets
from training import bases, preferences, tuning
from training.data.rows import Answer
from training.preferences import PreferenceRecipe
from training.runs import Run
from training.tokens import table


class SftRecipe(PreferenceRecipe):
    """Keys of `recipes/sft_*.yaml`."""

    packing: bool = Field(
        default=False,
        description="Several rows in one sequence of `longest` tokens, none of them "
        "seeing another; no padding is computed.",
    )

    @model_validator(mode="after")
    def _packed(self) -> SftRecipe:
        if self.packing and self.attention == "eager":
            raise ValueError("packing needs attention sdpa or flash_attention_2: eager lets packed rows see each other")
        return self


def main(recipe: SftRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the folder of the adapter, or of the tuned model."""
    from trl import SFTConfig, SFTTrainer

    run = Run(storage, "sft", recipe, resume)
    config = SFTConfig(
        **tuning.arguments(recipe, run),
        max_length=recipe.longest,
        packing=recipe.packing,
        eval_packing=False,
        shuffle_dataset=False,
    )
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    encoder = tuning.encoder(recipe, tokenizer, presets)
    with config.main_process_first(desc="rows"):
        data = tuning.rows(recipe, storage, presets)
        train = table(run.folder / "tokens" / "train.arrow", encoder.answers(data.train(Answer)))
        tuning.manifest(run, recipe, data, encoder, adapter=recipe.adapter)
        held = tuning.held_out(run, recipe, encoder.answers(data.held_out(Answer)))
    trainer = SFTTrainer(
        args=config,
        train_dataset=train,
        eval_dataset=held,
        processing_class=tokenizer,
        **preferences.starting(recipe),
    )
    return tuning.fit(trainer, run, recipe, resume, lambda folder: tuning.export(trainer, recipe, tokenizer, folder))
