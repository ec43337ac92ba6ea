"""The published algorithm as it was printed, kept for comparison: `mode: listing`. It does not learn.

Our reading of the description; each fault is named where it stands and has a test beside what `language_gan.py` does
instead. Do not build on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from models.engines.embedding_generator import SLOPE, EmbeddingGenerator
from training.gan.language_gan import Example
from training.recipes import RecipeError


class EndedEarly(RecipeError):
    """An answer's end token came before the fixed width, which the printed discriminator cannot read."""


class ListingDiscriminator(torch.nn.Module):
    """Fault: reads raw token ids as floats, prompt and padding included. Probabilities of 0 and 1 meet the clamp."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (width, max(1, width // 2), max(1, width // 4), max(1, width // 8), 1)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(before, after) for before, after in pairwise(widths))

    def forward(self, ids: Tensor) -> Tensor:
        """`[n, 1]` from token ids `[n, width]`. Fault: any other width than the fixed one is an error."""
        x = ids.float()
        for layer in self.layers[:-1]:
            x = torch.nn.functional.leaky_relu(layer(x), SLOPE)
        return torch.sigmoid(self.layers[-1](x))


def summed_policy(logits: Tensor) -> torch.distributions.Categorical:
    """Fault: the logits `[1, t, vocabulary]` of all places are summed, so that the softmax saturates."""
    return torch.distributions.Categorical(logits=logits.sum(dim=1))


def printed_loss(log_probs: Sequence[Tensor], rewards: Tensor) -> Tensor:
    """Fault: `rewards` is `(1, n)`, so that `zip` pairs its one row with the first token's and drops the others.

    Fault: no baseline.
    """
    loss = torch.zeros(())
    for log_prob, reward in zip(log_probs, rewards, strict=False):
        loss = loss - (log_prob * reward).mean()
    return loss


class ListingGAN(torch.nn.Module):
    """One prompt at a time, padded on the left to `inputs` tokens, and `outputs` new ones.

    `frozen`: as printed it is False, and the base's weights get gradients that nobody wants.
    """

    def __init__(
        self,
        model: Any,
        ends: frozenset[int],
        pad: int,
        inputs: int = 100,
        outputs: int = 50,
        *,
        frozen: bool = False,
        noise: int = 100,
        rate: float = 1e-4,
    ) -> None:
        super().__init__()
        self.model = model.requires_grad_(not frozen)
        self.ends, self.pad, self.inputs, self.outputs = ends, pad, inputs, outputs
        self.generator = EmbeddingGenerator(model.get_input_embeddings().weight.shape[1], noise)
        self.discriminator = ListingDiscriminator(inputs + outputs)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), lr=rate)
        self.judge_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=rate)
        self.between: Callable[[], None] = lambda: None

    def train(  # type: ignore[override]
        self, examples: Sequence[Example], epochs: int, after: Callable[[int, dict[str, float]], None]
    ) -> None:
        """Fault: hides `nn.Module.train`, so that `.eval()` and `.train()` no longer switch the mode."""
        for epoch in range(epochs):
            figures = {"generator_loss": 0.0, "discriminator_loss": 0.0}
            for example in examples:
                self.between()
                drawn = self.generate(example.prompt)
                self._full(drawn)
                figures["discriminator_loss"] += self.discriminator_step(self._real(example), drawn) / len(examples)
                figures["generator_loss"] += self.generator_step(drawn) / len(examples)
            after(epoch, figures)

    def padded(self, prompt: Sequence[int]) -> Tensor:
        """`[1, inputs]`: padded on the left, or cut."""
        kept = list(prompt)[-self.inputs :]
        return torch.tensor([[self.pad] * (self.inputs - len(kept)) + kept], device=self.model.device)

    def logits(self, ids: Tensor) -> Tensor:
        """`[1, t, vocabulary]`. Faults: noise is redrawn on each pass; places count from the padding."""
        embeddings = self.model.get_input_embeddings()(ids)
        noise = torch.randn(*ids.shape, self.generator.noise, device=ids.device)
        found: Tensor = self.model(
            inputs_embeds=self.generator(embeddings, noise), attention_mask=(ids != self.pad).long(), use_cache=False
        ).logits
        return found

    @torch.no_grad()
    def generate(self, prompt: Sequence[int]) -> Tensor:
        """`[1, inputs + outputs]`. Faults: no cache; an early end token leaves it narrower than the discriminator."""
        ids = self.padded(prompt)
        for _ in range(self.outputs):
            step = torch.distributions.Categorical(logits=self.logits(ids)[:, -1].float()).sample()  # type: ignore[no-untyped-call]
            ids = torch.cat((ids, step[:, None]), dim=1)
            if int(step) in self.ends:
                break
        return ids

    def generator_step(self, ids: Tensor) -> float:
        """One update; the graphs of all passes are held until its end."""
        with torch.no_grad():
            rewards = self.discriminator(ids).expand(1, self.outputs)
        log_probs = []
        for place in range(self.inputs, ids.shape[1]):
            policy = summed_policy(self.logits(ids[:, :place]).float())
            # Fault: a fresh action is scored, not the trajectory's own token.
            log_probs.append(policy.log_prob(policy.sample()))  # type: ignore[no-untyped-call]
        loss = printed_loss(log_probs, rewards)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.model.zero_grad(set_to_none=True)
        return float(loss.detach())

    def discriminator_step(self, real: Tensor, drawn: Tensor) -> float:
        """One update from whole rows; PyTorch clamps the logarithms at −100."""
        entropy = torch.nn.functional.binary_cross_entropy
        ones, zeros = torch.ones(1, 1, device=real.device), torch.zeros(1, 1, device=real.device)
        loss = entropy(self.discriminator(real), ones) + entropy(self.discriminator(drawn), zeros)
        self.judge_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.judge_optimizer.step()
        return float(loss.detach())

    def _full(self, drawn: Tensor) -> None:
        """EndedEarly for a row that is narrower than the discriminator, which would fail without a reason."""
        missing = self.inputs + self.outputs - drawn.shape[1]
        if missing:
            raise EndedEarly(
                f"mode listing: an answer ended after {self.outputs - missing} of {self.outputs} tokens, and the "
                "discriminator as printed reads nothing shorter; give fewer tokens (listing_tokens: "
                f"[{self.inputs}, {max(1, self.outputs - missing)}]), a base that ends later, or mode: right, which "
                "takes answers of any length"
            )

    def _real(self, example: Example) -> Tensor:
        """Fault: real answers are padded on the right, drawn ones are full: the padding tells them apart."""
        kept = list(example.answer)[: self.outputs]
        tail = torch.tensor([kept + [self.pad] * (self.outputs - len(kept))], device=self.model.device)
        return torch.cat((self.padded(example.prompt), tail), dim=1)
