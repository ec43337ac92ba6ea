"""A PPO run: prompts of a set in turn, rewards, metrics, checkpoints, and the finished adapter.

The arithmetic is in `estimators`, one step in `ppo`. Knows the run's folder; nothing of how answers are drawn.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training import bases, preferences, rlhf_plot, tuning
from training.data.sets import PreparedSet
from training.memory import MemoryWatch
from training.policy import Policy, answer_text
from training.ppo import Judge, NotFinite, Ppo
from training.ppo import summary as summed
from training.recipes import RecipeError
from training.rlhf import Ask, RlhfRecipe, gather, share, steps, turn
from training.rollouts import Trajectory
from training.runs import Run, hash_folder, progress, whole
from training.scoring import Drawn, Reward, load
from training.stopping import asked_to_stop
from training.watch import DivergedLoss, Interrupted, diverged, numbers

HELD_OUT = "held out"  # the seed of the held-out answers: the same chances before and after


def train(recipe: RlhfRecipe, storage: Path, presets: Presets, resume: bool) -> Path:
    """Tune by PPO and return the adapter's folder; Interrupted or DivergedLoss if it did not come to its end."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RecipeError("algorithm: ppo runs in one process; under `accelerate launch` take rloo or grpo")
    import torch

    run = Run(storage, "rlhf", recipe, resume)
    torch.set_num_threads(recipe.threads or torch.get_num_threads())
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    prepared: PreparedSet = tuning.rows(recipe, storage, presets)
    asked, held = gather(recipe, run, prepared, tokenizer, presets)
    ppo = build(recipe, tokenizer)
    if resume and (saved := run.load_checkpoint()):
        ppo.restore(*saved)
    return Session(recipe, run, ppo, load(recipe.reward, presets), asked, held).fit()


def build(recipe: RlhfRecipe, tokenizer: Any) -> Ppo:
    """The trainer that a recipe describes, at its first step."""
    import torch
    from peft import get_peft_model

    torch.manual_seed(recipe.seed)
    begun = preferences.starting(recipe)
    model = begun["model"] if begun["peft_config"] is None else get_peft_model(begun["model"], begun["peft_config"])
    start = recipe.adapter if recipe.reference == "start" else None
    return Ppo(
        Policy(model.to(_device(model)), tokenizer, start, recipe.recompute),
        recipe.ppo,
        rows=recipe.rows,
        accumulate=recipe.accumulate,
        temperature=recipe.temperature,
        coefficient=recipe.kl_coefficient,
        rate=recipe.learning_rate,
        clip=recipe.clip,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
    )


class Session:
    """One run from its present step to its end."""

    def __init__(
        self, recipe: RlhfRecipe, run: Run, ppo: Ppo, reward: Reward, asked: Sequence[Ask], held: Sequence[Ask]
    ) -> None:
        self.recipe, self.run, self.ppo, self.reward = recipe, run, ppo, reward
        self.asked, self.held = asked, held
        self.steps = steps(recipe, len(asked))

    def fit(self) -> Path:
        """Step to the end, with checkpoints; returns the finished folder."""
        before = self._before()
        with (
            MemoryWatch(self.run.parts, self.ppo.step > 0) as memory,
            progress("rlhf", self.steps) as shown,
            asked_to_stop() as stopping,
        ):
            while self.ppo.step < self.steps:
                figures = self.advance()
                shown(self.ppo.step, f"reward {figures['reward']:.3f} kl {figures['kl']:.2f}")
                if stopping() or self.ppo.step % self.recipe.save_steps == 0 or self.ppo.step == self.steps:
                    self.run.save_checkpoint(*self.ppo.state())
                if stopping() and self.ppo.step < self.steps:
                    raise Interrupted(f"stopped at step {self.ppo.step} of {self.steps}: continue with --resume")
        after = self.measure()
        folder = self.recipe.output or self.run.folder / "adapter"
        with whole(folder) as fresh:
            self.ppo.policy.save(fresh)
        self._conclude(folder, memory, before, after)
        return folder

    def advance(self) -> dict[str, float]:
        """One step, measured; DivergedLoss if a number of it is none."""
        recipe, step, begun = self.recipe, self.ppo.step, time.monotonic()
        wanted = recipe.rollout // recipe.samples
        chosen = [self.asked[index] for index in turn(len(self.asked), wanted, step, recipe.seed)]
        asks = [ask for ask in chosen for _ in range(recipe.samples)]
        rate = share(recipe.schedule, recipe.warmup, step / self.steps)
        try:
            figures = self.ppo.advance([ask.ids for ask in asks], self._budgets(asks), self.judge(asks), rate)
        except NotFinite as error:
            raise DivergedLoss(diverged(str(error), step, recipe)) from error
        figures = numbers({**figures, "learning_rate": rate * recipe.learning_rate})
        self.run.measure(step=self.ppo.step, **figures, step_seconds=round(time.monotonic() - begun, 3))
        return figures

    def measure(self) -> dict[str, float]:
        """Reward, KL and length of answers to the held-out prompts; {} without any."""
        if not self.held:
            return {}
        drawn = self.ppo.draw([ask.ids for ask in self.held], self._budgets(self.held), HELD_OUT)
        return numbers(summed(self.ppo.judged(drawn, self.judge(self.held)(drawn))))

    def judge(self, asks: Sequence[Ask]) -> Judge:
        """The reward of answers to these prompts."""

        def judged(drawn: Sequence[Trajectory]) -> list[dict[str, float]]:
            tokenizer = self.ppo.policy.tokenizer
            return self.reward(
                [
                    Drawn(ask.row, answer_text(tokenizer, one.answer), len(one.answer), one.ended)
                    for ask, one in zip(asks, drawn, strict=True)
                ]
            )

        return judged

    def _budgets(self, asks: Sequence[Ask]) -> list[int]:
        return [self.recipe.new_tokens] * len(asks)

    def _before(self) -> dict[str, float]:
        """The held-out figures of the untuned policy; those that were measured then, for a run that goes on."""
        for line in self.run.metrics():
            if "held_out_reward" in line and line.get("step") == 0:
                return {name[9:]: value for name, value in line.items() if name.startswith("held_out_")}
        if self.ppo.step:
            return {}
        found = self.measure()
        self.run.measure(step=0, **{f"held_out_{name}": value for name, value in found.items()})
        return found

    def _conclude(self, folder: Path, memory: MemoryWatch, before: dict[str, float], after: dict[str, float]) -> None:
        # Of a step that was done twice, after a kill, both times are counted and its tokens once.
        drawn = {line["step"]: line["length"] for line in self.run.metrics() if "length" in line}
        tokens = sum(drawn.values()) * self.recipe.rollout
        counted, copied = bases.count(self.ppo.policy.model), self.ppo.policy.has_start
        parameters = replace(counted, total=counted.total - counted.trainable * copied)  # less the reference's copy
        self.run.measure(
            step=self.ppo.step,
            **{f"held_out_{name}": value for name, value in after.items()},
            trainable_parameters=parameters.trainable,
            parameters=parameters.total,
            train_seconds=round(memory.seconds, 2),
            **memory.peak(),
        )
        self.run.timeline(memory.timeline)
        names = [name for name in after if name != "explained_variance"]
        table = ["", "| held out | before | after |", "| --- | --- | --- |"] if names else []
        table += [f"| {name} | {before.get(name, float('nan')):.4f} | {after[name]:.4f} |" for name in names]
        rlhf_plot.draw(self.run.metrics(), self.run.folder / "rlhf.png")
        self.run.report(
            [
                f"- trainable parameters: {parameters}",
                f"- steps: {self.ppo.step} of {self.recipe.rollout} answers, {memory.seconds:.1f} s{memory.told()}, "
                f"{tokens:,.0f} new tokens",
                f"- memory: {', '.join(f'{name} {value:,.0f} MiB' for name, value in memory.peak().items())}",
                f"- SHA-256: {hash_folder(folder)}",
                *table,
                "",
                "![reward and KL](rlhf.png)",
            ]
        )


def _device(model: Any) -> Any:
    from models.devices import pick_device

    # Quantized weights were placed when they were loaded.
    return model.device if getattr(model, "hf_device_map", None) else pick_device("auto")
