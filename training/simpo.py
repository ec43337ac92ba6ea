"""Simple preference optimisation (Meng et al. 2024) by TRL's CPOTrainer with its SimPO loss: no reference model.

Rows are rendered by what serves and go in as token ids. The formula is `objectives.simpo_loss`; tests hold both
together.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from storage.presets import Presets
from training import bases, preferences, tuning
from training.preferences import PreferenceRecipe
from training.runs import Run

IGNORED = -100


class SimpoRecipe(PreferenceRecipe):
    """Keys of `recipes/simpo_*.yaml`."""

    beta: float = Field(default=2.0, gt=0, description="Scale of the reward, the log-probability a token.")
    gamma: float = Field(default=1.0, ge=0, description="Margin that the better answer's reward should have.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5, description="Share of pairs taken to be wrong.")
    sft_weight: float = Field(default=0.0, ge=0, description="Adds so much of the chosen answer's cross-entropy.")


def main(recipe: SimpoRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the folder of the adapter, or of the tuned model."""
    run = Run(storage, "simpo", recipe, resume)
    config = configuration(recipe, **tuning.arguments(recipe, run))
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    first = config.main_process_first(desc="rows")
    train, held = preferences.pairs(run, recipe, tokenizer, storage, presets, first)
    trainer = build(recipe, config, train, held, tokenizer)
    return tuning.fit(trainer, run, recipe, resume, lambda to: preferences.export(trainer, recipe, tokenizer, to))


def configuration(recipe: SimpoRecipe, **arguments: Any) -> Any:
    """TRL's configuration for this recipe."""
    with warnings.catch_warnings():
        # TRL warns that it may move this trainer; its version is pinned and a test compares the loss.
        warnings.simplefilter("ignore")
        from trl.experimental.cpo import CPOConfig

    return CPOConfig(
        **arguments,
        loss_type="simpo",
        beta=recipe.beta,
        simpo_gamma=recipe.gamma,
        label_smoothing=recipe.label_smoothing,
        cpo_alpha=recipe.sft_weight,
        max_length=recipe.longest,
        remove_unused_columns=False,
    )


def build(recipe: SimpoRecipe, config: Any, train: Any, held: Any, tokenizer: Any) -> Any:
    """The trainer on tables of token ids."""
    from trl.experimental.cpo import CPOTrainer

    class OnTokens(CPOTrainer):  # type: ignore[misc]
        def tokenize_row(self, feature: Any, model: Any = None) -> dict[str, Any]:
            return {}  # rendered and tokenized already: nothing to add

    return OnTokens(
        args=config,
        data_collator=Collator(tokenizer.pad_token_id),
        train_dataset=train,
        eval_dataset=held,
        processing_class=tokenizer,
        **preferences.starting(recipe),
    )


class Collator:
    """Batches of token ids as the trainer reads them, padded on the right.

    `chosen_*` and `rejected_*`: `input_ids`, `attention_mask` and `labels` (−100 over prompt and padding), each of
    shape (rows, longest answer of its side with its prompt).
    """

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, examples: Sequence[Mapping[str, Sequence[int]]]) -> dict[str, Any]:
        batch: dict[str, Any] = {}
        for side in ("chosen", "rejected"):
            prompts = [list(one["prompt_ids"]) for one in examples]
            answers = [list(one[f"{side}_ids"]) for one in examples]
            both = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
            wanted = [[IGNORED] * len(prompt) + answer for prompt, answer in zip(prompts, answers, strict=True)]
            batch[f"{side}_input_ids"] = _padded(both, self.pad)
            batch[f"{side}_attention_mask"] = _padded([[1] * len(one) for one in both], 0)
            batch[f"{side}_labels"] = _padded(wanted, IGNORED)
        return batch


def _padded(rows: Sequence[list[int]], value: int) -> Any:
    import torch

    width = max(map(len, rows))
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])
