"""RLOO and GRPO by TRL's trainers, with our rewards, our prompts as token ids, and the watch that all methods share.

The baselines are `estimators.leave_one_out` and `estimators.group_relative`; a test holds TRL's numbers against them.
Knows nothing of PPO.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training import bases, preferences, rlhf_plot, tuning
from training.policy import answer_text
from training.rlhf import Ask, RlhfRecipe, gather, steps
from training.runs import Run, main_process
from training.scoring import Drawn, Reward, load, total

HELD_OUT = ("eval_reward_", "eval_kl", "eval_ended", "eval_completions/mean_length")


def train(recipe: RlhfRecipe, storage: Path, presets: Presets, resume: bool) -> Path:
    """Tune and return the adapter's folder."""
    run = Run(storage, "rlhf", recipe, resume)
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    prepared = tuning.rows(recipe, storage, presets)
    asked, held = gather(recipe, run, prepared, tokenizer, presets)
    config = configuration(recipe, run, len(asked))
    reward = load(recipe.reward, presets)
    trainer = build(recipe, config, tokenizer, reward, asked, held)
    folder = tuning.fit(trainer, run, recipe, resume, lambda to: preferences.export(trainer, recipe, tokenizer, to))
    if main_process():
        rlhf_plot.draw(run.metrics(), run.folder / "rlhf.png")
        with (run.folder / "report.md").open("a", encoding="utf-8") as report:
            report.write("\n![reward and KL](rlhf.png)\n")
    return folder


def configuration(recipe: RlhfRecipe, run: Run, prompts: int) -> Any:
    """TRL's configuration. Its steps are updates: `rollout / (rows · accumulate)` of them a pass and rollout."""
    from trl import GRPOConfig, RLOOConfig

    updates = recipe.passes * recipe.rollout // (recipe.rows * recipe.accumulate)
    own: dict[str, Any] = {
        "max_steps": steps(recipe, prompts) * updates,
        # Answers are kept for a rollout only, so runs are continued where one begins.
        "save_steps": recipe.save_steps * updates,
        "num_generations": recipe.samples,
        "num_generations_eval": 1,
        "steps_per_generation": recipe.rollout // recipe.rows,
        "num_iterations": recipe.passes,
        "max_completion_length": recipe.new_tokens,
        "temperature": recipe.temperature,
        "beta": recipe.kl_coefficient,
        "epsilon": recipe.clip_ratio,
        "disable_dropout": True,
    }
    common = tuning.arguments(recipe, run, **own)
    if recipe.algorithm == "rloo":
        return RLOOConfig(**common, normalize_advantages=False)
    return GRPOConfig(**common, loss_type="grpo", scale_rewards="group")


def build(
    recipe: RlhfRecipe, config: Any, tokenizer: Any, reward: Reward, asked: Sequence[Ask], held: Sequence[Ask]
) -> Any:
    """The trainer. Its `prompt` column names a prompt, whose tokens and row we keep: one renderer, no text in logs."""
    from datasets import Dataset

    from models.engines.prompts import end_tokens

    named = {f"train:{place}": ask for place, ask in enumerate(asked)}
    tests = {f"held_out:{place}": ask for place, ask in enumerate(held)}
    begun = preferences.starting(recipe)
    generation = begun["model"].generation_config
    ends = end_tokens(tokenizer, generation)
    generation.eos_token_id = sorted(ends)
    trainer = _on_tokens(recipe.algorithm, named | tests)(
        args=config,
        reward_funcs=reward_function(reward, named | tests, tokenizer, ends),
        train_dataset=Dataset.from_dict({"prompt": list(named)}),
        eval_dataset=Dataset.from_dict({"prompt": list(tests)}) if tests else None,
        processing_class=tokenizer,
        **begun,
    )
    preferences.hold_against(trainer, recipe)
    return trainer


def reward_function(
    reward: Reward, asks: dict[str, Ask], tokenizer: Any, ends: frozenset[int]
) -> Callable[..., list[float]]:
    """Our reward in the form that TRL calls; the means of its parts go into the metrics."""

    def score(
        prompts: Sequence[str], completion_ids: Sequence[Sequence[int]], log_metric: Callable[..., None], **_: Any
    ) -> list[float]:
        drawn = [
            Drawn(asks[prompt].row, answer_text(tokenizer, ids), len(ids), bool(ids) and ids[-1] in ends)
            for prompt, ids in zip(prompts, completion_ids, strict=True)
        ]
        parts = reward(drawn)
        for name in reward.terms:
            log_metric(f"reward_{name}", sum(one[name] for one in parts) / len(parts))
        log_metric("reward_all", sum(total(one) for one in parts) / len(parts))
        log_metric("ended", sum(one.ended for one in drawn) / len(drawn))
        return [total(one) for one in parts]

    return score


def _on_tokens(algorithm: str, asks: dict[str, Ask]) -> Any:
    from trl import GRPOTrainer, RLOOTrainer

    kind: Any = RLOOTrainer if algorithm == "rloo" else GRPOTrainer

    class OnTokens(kind):  # type: ignore[misc]
        def _tokenize_prompts(self, prompts: Sequence[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [list(asks[prompt].ids) for prompt in prompts], None, {}

        def evaluate(self, *given: Any, **named: Any) -> dict[str, float]:
            found: dict[str, float] = super().evaluate(*given, **named)
            # What TRL logs besides says nothing of single answers to held-out prompts.
            return {
                name: value for name, value in found.items() if name.startswith(HELD_OUT) and name != "eval_reward_std"
            }

    return OnTokens
