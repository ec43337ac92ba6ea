"""`LanguageGAN`: a frozen language model with an embedding generator in it, tuned by the policy gradient against a
discriminator. Only the weights of generator and discriminator change.

One noise vector belongs to a trajectory: it is drawn with it and used again when it is scored, so that the scored
policy is the sampled one. Knows token ids; nothing of texts, files or runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from models.engines.embedding_generator import EmbeddingGenerator
from training.estimators import policy_loss
from training.gan.credit import advantages, shaped, spread, valued_places
from training.gan.discriminator import AnswerReader, Discriminator
from training.gan.frozen import frozen
from training.gan.recipe import AdversarialSettings
from training.recipes import RecipeError
from training.rollouts import Embed, Trajectory, generate, score

# Answers that the discriminator reads at once.
READ = 64
CLIP_NORM = 1.0


@dataclass(frozen=True)
class Example:
    """A prompt and its real answer, as token ids; the answer's last is the end token. `budget`: of drawn answers."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    budget: int


@dataclass(frozen=True)
class Drawn:
    """Trajectories, `copies` to each example in turn, and the noise `[n, noise]` that each was drawn under."""

    trajectories: list[Trajectory]
    noise: Tensor
    budgets: list[int]

    def part(self, rows: Sequence[int]) -> Drawn:
        """Some of them."""
        return Drawn([self.trajectories[row] for row in rows], self.noise[list(rows)], [self.budgets[r] for r in rows])


class LanguageGAN:
    """Generator and discriminator at play. No `nn.Module`: `train` here means to tune."""

    def __init__(
        self,
        model: Any,
        generator: EmbeddingGenerator,
        discriminator: Discriminator,
        settings: AdversarialSettings,
        ends: frozenset[int],
        seed: int = 0,
    ) -> None:
        self.model = frozen(model)
        self.generator, self.discriminator = generator.to(model.device), discriminator.to(model.device)
        self.settings, self.ends, self.seed = settings, ends, seed
        self.read = AnswerReader(model.get_input_embeddings(), ends)
        self.optimizer = torch.optim.Adam(generator.parameters(), lr=settings.learning_rate)
        self._kept: Drawn | None = None
        self.between: Callable[[], None] = lambda: None  # called after each update; an error it raises ends the tuning
        self.judge_optimizer = torch.optim.Adam(discriminator.parameters(), lr=settings.discriminator_rate)

    def generate(self, examples: Sequence[Example], generator: torch.Generator, copies: int | None = None) -> Drawn:
        """Draw answers to every example, each under a noise vector of its own."""
        chosen = [example for example in examples for _ in range(copies or self.settings.copies)]
        noise = torch.randn(len(chosen), self.generator.noise, generator=generator).to(self.model.device)
        return self._drawn([one.prompt for one in chosen], [one.budget for one in chosen], noise, generator)

    def generator_step(self, drawn: Drawn, credit: Tensor, *, fresh: bool = True) -> float:
        """One update of the generator from trajectories and the advantages `[n, t]` of their tokens; the loss.

        `fresh`: the trajectories were drawn by the generator as it is now; else they are weighted by how much likelier
        they have become (policy_loss).
        """
        total = sum(len(one.answer) for one in drawn.trajectories)
        loss = 0.0
        for rows in self._passes(drawn.trajectories):
            part = drawn.part(rows)
            scores = score(self.model, part.trajectories, embed=self._embed(part.noise), temperature=self._heat)
            old = scores.logprobs.detach()
            if not fresh:
                logprobs = [value for one in part.trajectories for value in one.logprobs]
                old = old.masked_scatter(scores.mask, torch.tensor(logprobs, device=old.device))
            weights = credit[rows, : scores.mask.shape[1]]
            mean, _ = policy_loss(scores.logprobs, old, weights, scores.mask, self.settings.clip)
            piece = mean * scores.mask.sum() / total
            piece.backward()  # type: ignore[no-untyped-call]
            loss += float(piece.detach())
        return self._update(loss)

    def discriminator_step(self, real: Sequence[Sequence[int]], drawn: Sequence[Sequence[int]]) -> float:
        """One update of the discriminator; its binary cross-entropy, in nats."""
        loss = 0.0
        for answers, target in ((real, 1 - self.settings.smoothing), (drawn, 0.0)):
            for start in range(0, len(answers), READ):
                logits = self.discriminator.logits(*self.read(answers[start : start + READ]))
                wanted = torch.full_like(logits, target)
                piece = binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / (2 * len(answers))
                piece.backward()  # type: ignore[no-untyped-call]
                loss += float(piece.detach())
        _finite(loss, "discriminator")
        self.judge_optimizer.step()
        self.judge_optimizer.zero_grad()
        self.between()
        return loss

    def cross_entropy_step(self, examples: Sequence[Example], generator: torch.Generator) -> float:
        """One update towards the real answers; the loss a token, in nats."""
        noise = torch.randn(len(examples), self.generator.noise, generator=generator).to(self.model.device)
        real = [Trajectory(one.prompt, one.answer, True) for one in examples]
        total = sum(len(one.answer) for one in real)
        loss = 0.0
        for rows in self._passes(real):
            scores = score(self.model, [real[row] for row in rows], embed=self._embed(noise[rows]))
            piece = -scores.logprobs.sum() / total
            piece.backward()  # type: ignore[no-untyped-call]
            loss += float(piece.detach())
        return self._update(loss)

    def train(
        self,
        examples: Sequence[Example],
        epochs: int,
        *,
        begin: int = 0,
        after: Callable[[int, dict[str, float]], None] = lambda epoch, figures: None,
    ) -> None:
        """Tune: `warm_epochs` of cross-entropy, then `epochs` of play; `begin`: epochs already done.

        `after(epoch, figures)` follows each. An epoch is a function of seed, number and weights alone, and with
        `redraw` of the answers drawn before it: begin where `draws_anew` says so.
        """
        warm = self.settings.warm_epochs
        for epoch in range(begin, warm + epochs):
            chance = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            self._rate(self.settings.warm_rate if epoch < warm else self.settings.learning_rate)
            if epoch < warm:
                figures = self._warm_epoch(examples, chance)
            else:
                figures = self._epoch(examples, chance, epoch - warm)
            after(epoch, figures)

    def draws_anew(self, epoch: int) -> bool:
        """Whether this epoch needs nothing but weights: it is a warm one, or draws its answers."""
        return (epoch - self.settings.warm_epochs) % self.settings.redraw == 0 or epoch < self.settings.warm_epochs

    def rewards(self, drawn: Drawn, generator: torch.Generator) -> Tensor:
        """`[n, t]`: what each token is worth: the answer's reward, or the mean one of its completions."""
        answers = [one.answer for one in drawn.trajectories]
        width = max(map(len, answers))
        final = self.judged(answers)
        if not self.settings.rollouts_per_token:
            return final[:, None].expand(-1, width)
        values = self._completed(drawn, generator)
        rows = [
            spread(values[row], valued_places(len(answer), self.settings.rollout_stride), float(final[row]), width)
            for row, answer in enumerate(answers)
        ]
        return torch.tensor(rows, device=final.device)

    @torch.no_grad()
    def judged(self, answers: Sequence[Sequence[int]]) -> Tensor:
        """Rewards `[n]` of whole answers."""
        parts = [self.read(answers[start : start + READ]) for start in range(0, len(answers), READ)]
        return shaped(torch.cat([self.discriminator.logits(*part) for part in parts]), self.settings.reward)

    def _epoch(self, examples: Sequence[Example], chance: torch.Generator, number: int) -> dict[str, float]:
        again = number % self.settings.redraw
        if self._kept is None or not again:
            self._kept = self.generate(examples, chance)
        drawn = self._kept
        fake, real = [one.answer for one in drawn.trajectories], [one.answer for one in examples]
        judging = math.nan
        before = self.settings.discriminator_warm_steps if number == 0 else 0
        for _ in range(self.settings.discriminator_steps + before):
            judging = self.discriminator_step(real, fake)
        values = self.rewards(drawn, chance)
        credit = advantages(values, self.settings.copies, self.settings.normalise)
        order = torch.randperm(len(fake), generator=chance).tolist()
        losses = []
        for update in range(self.settings.updates):
            if rows := order[update :: self.settings.updates]:
                fresh = not again and update == 0
                losses.append(self.generator_step(drawn.part(rows), credit[rows], fresh=fresh))
        return {
            "generator_loss": sum(losses) / len(losses),
            "discriminator_loss": judging,
            "reward": float(values[:, -1].mean()),
            "answer_tokens": sum(map(len, fake)) / len(fake),
            "ended": sum(one.ended for one in drawn.trajectories) / len(fake),
        }

    def _warm_epoch(self, examples: Sequence[Example], chance: torch.Generator) -> dict[str, float]:
        order = torch.randperm(len(examples), generator=chance).tolist()
        parts = [order[number :: self.settings.updates] for number in range(self.settings.updates)]
        losses = [self.cross_entropy_step([examples[row] for row in part], chance) for part in parts if part]
        return {"warm_loss": sum(losses) / len(losses)}

    def _completed(self, drawn: Drawn, generator: torch.Generator) -> list[list[float]]:
        """For each trajectory, the mean reward of completions after each of its valued places."""
        count = self.settings.rollouts_per_token
        places = [valued_places(len(one.answer), self.settings.rollout_stride) for one in drawn.trajectories]
        starts = [(row, place) for row, found in enumerate(places) for place in found for _ in range(count)]
        if not starts:
            return [[] for _ in places]
        prompts = [drawn.trajectories[row].prompt + drawn.trajectories[row].answer[: at + 1] for row, at in starts]
        budgets = [max(1, drawn.budgets[row] - at - 1) for row, at in starts]
        rest = self._drawn(prompts, budgets, drawn.noise[[row for row, _ in starts]], generator)
        whole = [
            drawn.trajectories[row].answer[: at + 1] + one.answer
            for (row, at), one in zip(starts, rest.trajectories, strict=True)
        ]
        means: Iterator[float] = iter(self.judged(whole).view(-1, count).mean(1).tolist())
        return [[next(means) for _ in found] for found in places]

    def _drawn(
        self, prompts: list[tuple[int, ...]], budgets: list[int], noise: Tensor, generator: torch.Generator
    ) -> Drawn:
        found = generate(
            self.model,
            prompts,
            budgets,
            self.ends,
            embed=self._embed(noise),
            temperature=self._heat,
            batch=self.settings.batch,
            generator=generator,
        )
        return Drawn(found, noise, budgets)

    def _embed(self, noise: Tensor) -> Embed:
        embedding = self.model.get_input_embeddings()
        return lambda tokens, rows: self.generator(embedding(tokens), noise[rows])

    @property
    def _heat(self) -> float:
        return self.settings.temperature

    def _passes(self, trajectories: Sequence[Trajectory]) -> list[list[int]]:
        """Rows of each scoring pass, of like length so that little of a pass is padding."""
        lengths = [len(one.prompt) + len(one.answer) for one in trajectories]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        return [order[start : start + self.settings.rows] for start in range(0, len(order), self.settings.rows)]

    def _update(self, loss: float) -> float:
        _finite(loss, "generator")
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), CLIP_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.between()
        return loss

    def _rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate


class Diverged(RecipeError):
    """A loss is no number any more."""


def _finite(loss: float, whose: str) -> None:
    if not math.isfinite(loss):
        raise Diverged(f"the {whose}'s loss is {loss}: lower its learning rate, or use precision: float32")
