"""What the preference methods share: where tuning starts, what the tuned model is held against, rows as token tables.

Each method's file builds its own trainer; this one knows no loss.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from storage.presets import Presets
from training import tuning
from training.data.rows import Pair, Row
from training.data.sets import PreparedSet
from training.recipes import RecipeError
from training.runs import Run
from training.tokens import Encoder, table
from training.tuning import TuningRecipe

REFERENCE = "ref"  # the name that TRL gives to the frozen copy of the adapter that tuning starts from

Encode = Callable[[Iterable[Row]], Iterator[Mapping[str, Any]]]


class PreferenceRecipe(TuningRecipe):
    """Keys that all preference methods have."""

    adapter: Path | None = Field(default=None, description="A LoRA adapter of `base` to go on from; unset: a new one.")

    @model_validator(mode="after")
    def _one_adapter(self) -> PreferenceRecipe:
        if self.adapter is not None and "lora" in self.model_fields_set:
            raise ValueError("`adapter` brings its own rank and targets: leave out `lora`")
        return self


class ReferencedRecipe(PreferenceRecipe):
    """Keys of methods that hold the tuned model against a reference."""

    reference: Literal["base", "start"] = Field(
        default="start",
        description="base: the model without adapters. start: what tuning starts from, a frozen copy of `adapter` "
        "(the same as base if there is none). Neither needs a second model, unless all weights are tuned.",
    )


def starting(recipe: PreferenceRecipe) -> dict[str, Any]:
    """The trainer's `model` and `peft_config`: the base with a new adapter to come, or with the given one on it."""
    if recipe.adapter is not None:
        require_adapter(recipe.adapter, "CAUSAL_LM")
    model = tuning.model(recipe)
    if recipe.adapter is None:
        return {"model": model, "peft_config": recipe.lora.config(model) if recipe.lora else None}
    from peft import PeftModel

    try:
        tuned = PeftModel.from_pretrained(model, str(recipe.adapter), is_trainable=True)
    except (RuntimeError, ValueError) as error:
        raise unfit(recipe, error) from error
    return {"model": tuned, "peft_config": None}


def require_adapter(folder: Path, task: str | None = None) -> None:
    """RecipeError unless the folder holds an adapter, and of that task if one is given."""
    if not (folder / "adapter_config.json").is_file():
        raise RecipeError(f"adapter: {folder} holds no adapter (no adapter_config.json)")
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("peft_type") != "LORA" or (task and settings.get("task_type") != task):
        kind = settings.get("task_type") or settings.get("peft_type") or settings.get("kind")
        raise RecipeError(f"adapter: {folder} is of kind {kind}; a LoRA adapter for {task or 'this'} is needed")


def unfit(recipe: PreferenceRecipe, error: Exception) -> RecipeError:
    """The error for an adapter that was made for another base."""
    from models.errors import first_line

    return RecipeError(
        f"adapter: {recipe.adapter} does not fit {recipe.base} ({first_line(error)}); give the base that it was "
        "trained on"
    )


def reference(recipe: ReferencedRecipe) -> Any:
    """A second model to compare with where all weights are tuned; None where an adapter can be taken off."""
    return tuning.model(recipe) if recipe.lora is None else None


def hold_against(trainer: Any, recipe: ReferencedRecipe) -> None:
    """Let the trainer compare with what `reference` names: it took a copy of the given adapter when it was built."""
    copied = recipe.lora is not None and REFERENCE in trainer.model.peft_config
    if copied and recipe.reference == "base":
        trainer.model.delete_adapter(REFERENCE)


def export(trainer: Any, recipe: PreferenceRecipe, tokenizer: Any, folder: Path) -> None:
    """Write the tuned adapter or model; the reference's copy stays out."""
    unwrapped = trainer.accelerator.unwrap_model(trainer.model)
    if recipe.lora is not None and REFERENCE in unwrapped.peft_config:
        unwrapped.delete_adapter(REFERENCE)
    tuning.export(trainer, recipe, tokenizer, folder)


def pairs(
    run: Run,
    recipe: PreferenceRecipe,
    tokenizer: Any,
    storage: Path,
    presets: Presets,
    first: AbstractContextManager[None],
) -> tuple[Any, Any]:
    """`(train, held_out)` tables of `prompt_ids`, `chosen_ids`, `rejected_ids`; writes the run's manifest.

    `first`: the trainer configuration's context in which one process works while the others wait.
    """
    encoder = tuning.encoder(recipe, tokenizer, presets)
    with first:
        prepared = tuning.rows(recipe, storage, presets)
        return tables(run, recipe, prepared, encoder, encoder.pairs, Pair)


def tables(
    run: Run,
    recipe: PreferenceRecipe,
    prepared: PreparedSet,
    encoder: Encoder,
    encode: Callable[[Iterable[Any]], Iterator[Mapping[str, Any]]],
    kind: type[Row],
) -> tuple[Any, Any]:
    """Training and held-out tables (None without such rows) of what `encode` makes of rows; writes the manifest."""
    train = table(run.folder / "tokens" / "train.arrow", encode(prepared.train(kind)))
    tuning.manifest(run, recipe, prepared, encoder, adapter=recipe.adapter)
    held = tuning.held_out(run, recipe, iter(encode(prepared.held_out(kind))))
    return train, held
