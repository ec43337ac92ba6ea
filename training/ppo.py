"""Proximal policy optimization of answers (Schulman et al. 2017, arXiv:1707.06347), as Ziegler et al. 2019
(arXiv:1909.08593) set it up for language models: every token an action, the score on the last one, KL to the reference.

A step draws a rollout, judges it once, and makes several passes over it. What a step does depends on the seed, its
number and the weights alone, so that a run continues from a checkpoint as if it had never stopped. Knows no recipe
file, no reward's inside and no kind of row.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from training import estimators
from training.policy import Policy
from training.ppo_keys import PpoKeys
from training.rollouts import Scores, Trajectory, generate, score

# Trajectories, in the order of the prompts that they answer → the parts of every answer's reward.
Judge = Callable[[Sequence[Trajectory]], list[dict[str, float]]]


class NotFinite(ArithmeticError):
    """A number of the step is none any more; `args[0]` is its name."""


class ValueHead(torch.nn.Module):
    """Expected reward to come from a hidden state: linear or with one hidden layer; the same everywhere at first.

    States are brought to length 1, so that one learning rate suits models of any width and scale.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        last = torch.nn.Linear(hidden or size, 1)
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
        self.last = last
        self.before = torch.nn.Sequential(torch.nn.Linear(size, hidden), torch.nn.Tanh()) if hidden else None

    def begin(self, value: float) -> None:
        """Expect this much everywhere."""
        torch.nn.init.constant_(self.last.bias, value)

    def forward(self, states: Tensor) -> Tensor:
        """`[n, size]` → `[n]`."""
        read = torch.nn.functional.normalize(states.float(), dim=-1)
        values: Tensor = self.last(read if self.before is None else self.before(read))[:, 0]
        return values


@dataclass(frozen=True)
class Experience:
    """A judged rollout; tensors are `[answers, tokens]`, `scores` is `[answers]`."""

    drawn: Sequence[Trajectory]
    old: Tensor
    mask: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    kl: Tensor
    scores: Tensor
    parts: Sequence[Mapping[str, float]]


class Ppo:
    """Policy, critic, optimizer and position of one run."""

    def __init__(
        self, policy: Policy, keys: PpoKeys, *, rows: int, accumulate: int, temperature: float,
        coefficient: float, rate: float, clip: float, weight_decay: float, seed: int,
    ) -> None:  # fmt: skip
        self.policy, self.keys = policy, keys
        self.rows, self.accumulate, self.temperature = rows, accumulate, temperature
        self.coefficient, self.clip, self.seed, self.step = coefficient, clip, seed, 0
        torch.manual_seed(seed)
        size = policy.model.config.get_text_config().hidden_size
        self.critic = ValueHead(size, keys.value_hidden).to(policy.model.device)
        self.trained = policy.trained() | {f"critic.{name}": one for name, one in self.critic.named_parameters()}
        groups: list[dict[str, Any]] = [
            {"params": list(policy.trained().values()), "lr": rate},
            {"params": [*self.critic.parameters()]},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=keys.value_rate, weight_decay=weight_decay)
        self.rates = (rate, keys.value_rate)
        # In half precision small slopes on the way to the adapter would be rounded to nothing.
        self.scale = 1024.0 if policy.model.dtype is torch.float16 else 1.0

    def advance(
        self, prompts: Sequence[Sequence[int]], budgets: Sequence[int], judge: Judge, share: float = 1.0
    ) -> dict[str, float]:
        """One rollout (a prompt named twice gets two answers) and its passes; `share` of the learning rates.

        Returns the step's figures; NotFinite if a loss is no number.
        """
        drawn = self.draw(prompts, budgets, f"{self.seed}:{self.step}")
        parts = judge(drawn)
        if self.step == 0:
            self.critic.begin(sum(sum(one.values()) for one in parts) / len(parts))
        experience = self.judged(drawn, parts)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        figures = self._learn(experience)
        self.step += 1
        if self.keys.kl_target is not None:
            self.coefficient = estimators.next_coefficient(self.coefficient, figures["kl"], self.keys.kl_target)
        return figures

    def draw(self, prompts: Sequence[Sequence[int]], budgets: Sequence[int], seed: str) -> list[Trajectory]:
        """Answers of the present policy, the same for the same seed."""
        generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(48))
        return generate(
            self.policy.model, prompts, budgets, self.policy.ends,
            temperature=self.temperature, batch=max(32, self.rows), generator=generator,
        )  # fmt: skip

    def judged(self, drawn: Sequence[Trajectory], parts: Sequence[Mapping[str, float]]) -> Experience:
        """Rewards, values and advantages of a rollout under the policy that drew it, from its parts of reward."""
        with torch.no_grad():
            own = self._scored(drawn, self.critic)
            with self.policy.reference():
                other = self._scored(drawn, None)
        device = own.logprobs.device
        scores = torch.tensor([sum(one.values()) for one in parts], device=device)
        values = _of(own)
        penalty = estimators.kl(own.logprobs, other.logprobs, self.keys.kl_estimate)
        rewards = estimators.shaped_rewards(scores, penalty, own.mask, self.coefficient)
        advantages, returns = estimators.gae(rewards, values, own.mask, self.keys.gamma, self.keys.lam)
        if self.keys.whiten:
            advantages = estimators.whiten(advantages, own.mask)
        divergence = estimators.kl(own.logprobs, other.logprobs, "k1")
        return Experience(drawn, own.logprobs, own.mask, values, advantages, returns, divergence, scores, parts)

    def _learn(self, experience: Experience) -> dict[str, float]:
        """Passes over the rollout in shuffled minibatches, until they are done or the policy has moved far enough."""
        order = list(range(len(experience.drawn)))
        chooser = random.Random(f"{self.seed}:{self.step}")
        sums: dict[str, float] = {}
        batches = passes = 0
        stopped = False
        while passes < self.keys.passes and not stopped:
            chooser.shuffle(order)
            size = self.rows * self.accumulate
            for start in range(0, len(order), size):
                found = self._update(experience, order[start : start + size])
                sums = {name: sums.get(name, 0.0) + value for name, value in found.items()}
                batches += 1
                stopped = self.keys.kl_stop is not None and found["moved"] > self.keys.kl_stop
                if stopped:
                    break
            passes += 1
        means = {name: value / batches for name, value in sums.items()}
        return {**summary(experience), **means, "updates": batches, "coefficient": self.coefficient}

    def _update(self, experience: Experience, chosen: Sequence[int]) -> dict[str, float]:
        """One optimizer step; skipped, with its figures, where the policy has already moved beyond `kl_stop`."""
        figures: dict[str, float] = {}
        for start in range(0, len(chosen), self.rows):
            part = chosen[start : start + self.rows]
            loss, found = self._loss(experience, part)
            weight = len(part) / len(chosen)
            (loss * weight * self.scale).backward()  # type: ignore[no-untyped-call]
            figures = {name: figures.get(name, 0.0) + weight * value for name, value in found.items()}
        for name, value in figures.items():
            if not abs(value) < float("inf"):
                self.optimizer.zero_grad(set_to_none=True)
                raise NotFinite(name)
        if self.keys.kl_stop is None or figures["moved"] <= self.keys.kl_stop:
            for tensor in self.trained.values():
                if tensor.grad is not None and self.scale != 1.0:
                    tensor.grad /= self.scale
            norm = torch.nn.utils.clip_grad_norm_(self.trained.values(), self.clip)
            if not torch.isfinite(norm):
                raise NotFinite("the gradient")
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return figures

    def _loss(self, experience: Experience, part: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
        drawn = [experience.drawn[index] for index in part]
        with self.policy.recomputing():
            now = score(self.policy.model, drawn, temperature=self.temperature, value=self._value)
        width = now.mask.shape[1]
        old, values, advantages, returns = (
            tensor[list(part), :width]
            for tensor in (experience.old, experience.values, experience.advantages, experience.returns)
        )
        found = _of(now)
        gained, clipped = estimators.policy_loss(now.logprobs, old, advantages, now.mask, self.keys.clip_ratio)
        missed = estimators.value_loss(found, values, returns, now.mask, self.keys.clip_value)
        moved = estimators.masked_mean(estimators.kl(old, now.logprobs.detach(), "k3"), now.mask)
        waits = self.step < self.keys.value_steps
        loss = self.keys.value_weight * missed + (0.0 if waits else gained)
        return loss, {
            "policy_loss": float(gained.detach()), "value_loss": float(missed.detach()),
            "clip_fraction": float(clipped), "moved": float(moved),
        }  # fmt: skip

    def _value(self, states: Tensor) -> Tensor:
        found: Tensor = self.critic(states.detach() if self.keys.features == "detached" else states)
        return found

    def _scored(self, drawn: Sequence[Trajectory], critic: ValueHead | None) -> Scores:
        """Scores of many trajectories, a few at a time and those of like length together."""
        width = max(len(one.answer) for one in drawn)
        device = self.policy.model.device
        logprobs, values = torch.zeros(2, len(drawn), width, device=device)
        mask = torch.zeros(len(drawn), width, dtype=torch.bool, device=device)
        order = sorted(range(len(drawn)), key=lambda index: len(drawn[index].prompt) + len(drawn[index].answer))
        for start in range(0, len(order), self.rows):
            part = order[start : start + self.rows]
            some = [drawn[index] for index in part]
            found = score(self.policy.model, some, temperature=self.temperature, value=critic)
            reach = found.mask.shape[1]
            logprobs[part, :reach], mask[part, :reach] = found.logprobs, found.mask
            if found.values is not None:
                values[part, :reach] = found.values
        return Scores(logprobs, mask, values)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """`(tensors, state)` to continue from. Nothing random is kept: it follows from the seed and the step."""
        tensors = {f"weight.{name}": weight for name, weight in self.trained.items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in moments.items()}
        return tensors, {"step": self.step, "coefficient": self.coefficient}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(tensors[f"weight.{name}"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".", 2)
                moments.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.step, self.coefficient = int(state["step"]), float(state["coefficient"])


def _of(scores: Scores) -> Tensor:
    if scores.values is None:
        raise TypeError("scored without a critic")
    return scores.values


def summary(experience: Experience) -> dict[str, float]:
    """What a rollout was worth and how far the policy is from the reference, before learning from it.

    `kl` in nats an answer; `entropy` in nats a token, estimated by the drawn tokens' own log-probabilities.
    """
    mask = experience.mask
    names = sorted({name for one in experience.parts for name in one})
    return {
        "reward": float(experience.scores.mean()),
        "reward_deviation": float(experience.scores.std(unbiased=False)),
        **{f"reward_{name}": sum(one.get(name, 0.0) for one in experience.parts) / len(mask) for name in names},
        "kl": float(experience.kl.masked_fill(~mask, 0.0).sum(1).mean()),
        "entropy": -float(estimators.masked_mean(experience.old, mask)),
        "explained_variance": float(estimators.explained_variance(experience.values, experience.returns, mask)),
        "length": float(mask.sum(1).float().mean()),
        "ended": sum(one.ended for one in experience.drawn) / len(mask),
    }
