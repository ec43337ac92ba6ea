"""Reward models: one score an answer, learned from pairs by the Bradley-Terry loss with TRL's RewardTrainer.

Rows are rendered by what serves and go in as token ids. The formula is `objectives.bradley_terry_loss`; tests hold both
together. The result is an adapter with its scoring head, which `load` reads; the worker does not serve it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from storage.presets import Presets
from training import bases, preferences, tuning
from training.data.rows import Pair
from training.preferences import PreferenceRecipe
from training.runs import Run

TASK = "SEQ_CLS"  # PEFT then saves the scoring head with the adapter


class RewardRecipe(PreferenceRecipe):
    """Keys of `recipes/reward_*.yaml`."""

    centre: float = Field(
        default=0.0, ge=0, description="Weight of the term that keeps scores around zero (arXiv:2312.09244): 0.01."
    )


def main(recipe: RewardRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Learn to score, and return the folder of the adapter with its head, or of the whole model."""
    from trl import RewardConfig

    run = Run(storage, "reward", recipe, resume)
    config = RewardConfig(
        **tuning.arguments(recipe, run),
        center_rewards_coefficient=recipe.centre or None,
        max_length=None,  # rows that are too long were left out
    )
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    encoder = tuning.encoder(recipe, tokenizer, presets)
    with config.main_process_first(desc="rows"):
        prepared = tuning.rows(recipe, storage, presets)

        def encode(rows: Iterable[Pair]) -> Iterator[Mapping[str, Any]]:
            return joined(encoder.pairs(rows))

        train, held = preferences.tables(run, recipe, prepared, encoder, encode, Pair)
    trainer = build(recipe, config, train, held, tokenizer)
    return tuning.fit(trainer, run, recipe, resume, lambda to: tuning.export(trainer, recipe, tokenizer, to))


def joined(examples: Iterable[Mapping[str, Sequence[int]]]) -> Iterator[dict[str, list[int]]]:
    """`chosen_ids` and `rejected_ids` with their prompt before them: a score is of the whole."""
    for one in examples:
        prompt = list(one["prompt_ids"])
        yield {side: [*prompt, *one[side]] for side in ("chosen_ids", "rejected_ids")}


def build(recipe: RewardRecipe, config: Any, train: Any, held: Any, tokenizer: Any) -> Any:
    """The trainer on tables of token ids."""
    from trl import RewardTrainer

    start = _starting(recipe)
    trainer = RewardTrainer(args=config, train_dataset=train, eval_dataset=held, processing_class=tokenizer, **start)
    if recipe.quantization != "none":
        # The trainer made everything that learns bfloat16; the head reads what the base puts out.
        for name, weight in trainer.model.named_parameters():
            if weight.requires_grad and "lora_" not in name:
                weight.data = weight.data.to(start["model"].dtype)
    return trainer


def _starting(recipe: RewardRecipe) -> dict[str, Any]:
    with _new_head():
        model = tuning.model(recipe, labels=1)
    if recipe.adapter is None:
        return {"model": model, "peft_config": recipe.lora.config(model, TASK) if recipe.lora else None}
    return {"model": _on_adapter(model, recipe, recipe.adapter), "peft_config": None}


def _on_adapter(model: Any, recipe: RewardRecipe, adapter: Path) -> Any:
    """The scoring model with an answering adapter's weights to go on from, its head new."""
    import peft

    preferences.require_adapter(adapter)
    config = peft.LoraConfig.from_pretrained(str(adapter))
    if config.task_type == TASK:
        return peft.PeftModel.from_pretrained(model, str(adapter), is_trainable=True)
    config.task_type, config.inference_mode, config.base_model_name_or_path = TASK, False, None
    tuned = peft.get_peft_model(model, config)
    weights = {**peft.get_peft_model_state_dict(tuned), **peft.load_peft_weights(str(adapter), device="cpu")}
    try:
        peft.set_peft_model_state_dict(tuned, weights)
    except RuntimeError as error:
        raise preferences.unfit(recipe, error) from error
    return tuned


def _new_head() -> Any:
    # Without this the library reports at length that the base has no scoring head.
    from trl.trainer.reward_trainer import suppress_seqcls_warning

    return suppress_seqcls_warning()


class Scorer:
    """A reward model ready to score, on the GPU if there is one; ids come from `Encoder` with this `tokenizer`."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer

    def scores(self, rows: Sequence[Sequence[int]], batch: int = 32) -> list[float]:
        """One score a row of token ids (prompt, answer, end token)."""
        import torch

        found: list[float] = []
        with torch.inference_mode():
            for start in range(0, len(rows), batch):
                part = [{"input_ids": list(row)} for row in rows[start : start + batch]]
                inputs = self.tokenizer.pad(part, padding_side="right", return_tensors="pt").to(self.model.device)
                found += self.model(**inputs).logits[:, 0].float().tolist()
        return found


def load(folder: Path, base: str | None = None, **loading: Any) -> Scorer:
    """The scorer that a run left in `folder`; `base`: where its base lies now, unset: where it lay.

    `loading`: `quantization`, `precision`, … of `bases.load_model`. RecipeError if it holds no reward model.
    """
    from peft import PeftModel

    if (folder / "config.json").is_file():
        return _scorer(bases.load_model(str(folder), labels=1, **loading), bases.load_tokenizer(str(folder)), loading)
    preferences.require_adapter(folder)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    name = base or str(config["base_model_name_or_path"])
    tokenizer = bases.load_tokenizer(name)
    with _new_head():
        model = bases.load_model(name, labels=1, **loading)
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return _scorer(PeftModel.from_pretrained(model, str(folder)), tokenizer, loading)


def _scorer(model: Any, tokenizer: Any, loading: Mapping[str, Any]) -> Scorer:
    from models.devices import pick_device

    # Quantized weights are where they were loaded.
    placed = loading.get("quantization", "none") != "none"
    return Scorer(model if placed else model.to(pick_device("auto")), tokenizer)
