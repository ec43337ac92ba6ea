"""Reinforcement learning from a reward: PPO by our own trainer, RLOO and GRPO by TRL's, on the prompts of a set.

The reward is a reward model, an emotion classifier, or both; the answers that a set holds are not learned from. Ends
in a LoRA adapter that the worker serves. Knows which algorithm is asked for, and none of them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from storage.presets import Presets
from training import tuning
from training.data.rows import Answer, Feedback, Pair, Row
from training.data.sets import PreparedSet
from training.ppo_keys import PpoKeys
from training.preferences import ReferencedRecipe
from training.recipes import RecipeError
from training.runs import Run
from training.scoring import Asked, RewardKeys
from training.tokens import Encoder


class RlhfRecipe(ReferencedRecipe):
    """Keys of `recipes/rlhf_*.yaml`. A step is a rollout and the passes over it; `rows` are answers a backward pass."""

    algorithm: Literal["ppo", "rloo", "grpo"] = "ppo"
    reward: RewardKeys
    rollout: int = Field(default=32, ge=1, description="Answers drawn a step: a multiple of rows · accumulate.")
    samples: int = Field(default=1, ge=1, description="Answers to each prompt; rloo and grpo compare two or more.")
    new_tokens: int = Field(default=64, ge=1, description="Longest answer, in tokens.")
    temperature: float = Field(default=1.0, gt=0, description="Of drawing and of every log-probability.")
    kl_coefficient: float = Field(default=0.05, ge=0, description="β: reward lost a nat of KL to the reference.")
    prompts: int = Field(default=20_000, ge=1, description="At most so many different prompts are kept in memory.")
    ppo: PpoKeys = Field(default=PpoKeys(), description="Keys of algorithm: ppo alone.")
    passes: int = Field(default=1, ge=1, description="Over every rollout, with rloo and grpo.")
    clip_ratio: float = Field(default=0.2, gt=0, lt=1, description="ε of rloo and grpo.")

    @model_validator(mode="after")
    def _fits(self) -> RlhfRecipe:
        update = self.rows * self.accumulate
        if self.rollout % update:
            raise ValueError(f"rollout: {self.rollout} answers are no multiple of rows · accumulate = {update}")
        if self.rollout % self.samples:
            raise ValueError(f"rollout: {self.rollout} answers are no multiple of samples = {self.samples}")
        if self.algorithm != "ppo" and self.samples < 2:
            raise ValueError(f"samples: {self.algorithm} compares the answers to a prompt: 2 or more")
        if self.lora is None:
            raise ValueError("lora: the reference is the base without its adapter, so rlhf tunes an adapter")
        if self.new_tokens >= self.longest:
            raise ValueError(f"new_tokens: {self.new_tokens} leave no room for a prompt in longest = {self.longest}")
        if self.algorithm == "ppo" and not self.optimizer.startswith("adamw_torch"):
            raise ValueError("optimizer: ppo takes adamw_torch")
        return self


@dataclass(frozen=True)
class Ask:
    """A prompt to answer: the row that it comes from and its tokens."""

    row: Asked
    ids: tuple[int, ...]


def main(recipe: RlhfRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the folder of the adapter."""
    if recipe.algorithm == "ppo":
        from training import rlhf_ppo

        return rlhf_ppo.train(recipe, storage, presets, resume)
    from training import rlhf_groups

    return rlhf_groups.train(recipe, storage, presets, resume)


def asks(rows: Iterable[Row], encoder: Encoder, room: int) -> Iterator[Ask]:
    """The different prompts of rows, as serving renders them; those longer than `room` are left out and counted.

    RecipeError for rows without a dialogue to answer.
    """
    from training.tokens import prompt_ids

    seen: set[tuple[int, ...]] = set()
    for row in rows:
        if not isinstance(row, Answer | Pair | Feedback):
            raise RecipeError(
                f"data: {row.origin or 'a row'} has no prompt: rlhf takes rows of kind answer, pair or feedback"
            )
        ids = tuple(prompt_ids(encoder.tokenizer, row, row.prompt, encoder.presets))
        if ids in seen:
            encoder.counts["repeated"] += 1
        elif len(ids) > room:
            encoder.counts["too_long"] += 1
        else:
            seen.add(ids)
            encoder.counts["kept"] += 1
            yield Ask(row, ids)


def gather(
    recipe: RlhfRecipe, run: Run, prepared: PreparedSet, tokenizer: Any, presets: Presets
) -> tuple[list[Ask], list[Ask]]:
    """`(training, held-out)` prompts; writes the run's manifest. RecipeError if none is left to train on."""
    encoder = tuning.encoder(recipe, tokenizer, presets)
    room = encoder.longest - recipe.new_tokens
    train = list(itertools.islice(asks(prepared.train(Row), encoder, room), recipe.prompts))
    if not train:
        raise RecipeError(
            f"data: no prompt of at most {room} tokens is left ({dict(encoder.counts)}); give a larger `longest`, a "
            "smaller `new_tokens`, or other rows"
        )
    wanted = recipe.rollout // recipe.samples
    if recipe.algorithm != "ppo" and len(train) < wanted:
        raise RecipeError(
            f"data: {len(train)} different prompts are fewer than the {wanted} of a rollout (rollout / samples): give "
            "a smaller `rollout`, or more rows"
        )
    reward = {f"reward.{name}": getattr(recipe.reward, name) for name in ("emotion", "model", "model_base")}
    tuning.manifest(run, recipe, prepared, encoder, adapter=recipe.adapter, **reward)
    held = Encoder(tokenizer, presets, encoder.longest)
    return train, list(itertools.islice(asks(prepared.held_out(Row), held, room), recipe.measure_rows))


def steps(recipe: RlhfRecipe, prompts: int) -> int:
    """Rollouts of the whole run; `epochs` count how often every prompt is asked."""
    if recipe.steps is not None:
        return recipe.steps
    return max(1, math.ceil((recipe.epochs or 1.0) * prompts / (recipe.rollout // recipe.samples)))


def turn(prompts: int, wanted: int, step: int, seed: int) -> list[int]:
    """Which `wanted` prompts a step asks: all in a new order every epoch, a pure function of seed and step."""
    orders: dict[int, Sequence[int]] = {}
    found: list[int] = []
    for place in range(step * wanted, (step + 1) * wanted):
        epoch, index = divmod(place, prompts)
        if epoch not in orders:
            orders[epoch] = random.Random(f"{seed}:{epoch}:prompts").sample(range(prompts), prompts)
        found.append(orders[epoch][index])
    return found


def share(schedule: str, warmup: float, done: float) -> float:
    """Of the learning rate at `done` (0 to 1) of the run."""
    if schedule != "constant" and done < warmup:
        return max(done / warmup, 0.01)
    left = (1 - done) / (1 - warmup)
    if schedule == "linear":
        return left
    return 0.5 - 0.5 * math.cos(math.pi * left) if schedule == "cosine" else 1.0
