"""The discriminator: does an answer look like a real one? Knows frozen embeddings and a mask, no tokens and no model.

It reads the answer alone. Prompt, padding and end token are kept from it: any of them can tell real from drawn
without a word being understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, leaky_relu

from models.engines.embedding_generator import SLOPE

# Logit of an answer without a word: a probability of 0.25 %.
EMPTY = -6.0


class Discriminator(torch.nn.Module):
    """Four layers that narrow, LeakyReLU 0.01 between them, a sigmoid at the end; mean over the answer's places.

    Each place reads its token and the one before it, so that the order of words counts, and how long the answer is: a
    judge that cannot see the length is pleased by one good word.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        widths = (2 * size + 1, max(16, size // 4), max(8, size // 8), max(4, size // 16), 1)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(before, after) for before, after in pairwise(widths))

    def logits(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """`[n]` from embeddings `[n, t, size]` of answers that begin at place 0, and their mask `[n, t]`.

        What stands outside the mask changes nothing, NaN included. An empty answer is taken for drawn: were it left at
        even odds, saying nothing would be the best that a generator under suspicion can do.
        """
        # Embedding tables differ in scale by orders of magnitude; what counts is direction.
        even = layer_norm(embeddings.float(), embeddings.shape[-1:])
        own = even.masked_fill(~mask[..., None], 0.0)
        before = torch.nn.functional.pad(own, (0, 0, 1, 0))[:, :-1]
        length = mask.sum(1).clamp(min=1).log()[:, None, None].expand(*mask.shape, 1)
        x = torch.cat((own, before, length), dim=-1)
        for place, layer in enumerate(self.layers):
            x = layer(x)
            if place + 1 < len(self.layers):
                x = leaky_relu(x, SLOPE)
        mean = (x[..., 0] * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.where(mask.any(1), mean, EMPTY)

    def forward(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Probability `[n]` that each answer is real."""
        return torch.sigmoid(self.logits(embeddings, mask))


class AnswerReader:
    """Answers as the discriminator reads them: padded on the right, end tokens left out, embeddings of the base."""

    def __init__(self, embedding: Any, ends: Iterable[int]) -> None:
        self.embedding, self.ends = embedding, frozenset(ends)

    def __call__(self, answers: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """`(embeddings [n, t, size], mask [n, t])`; an answer of nothing but an end token has an empty mask."""
        device = self.embedding.weight.device
        words = [[token for token in answer if token not in self.ends] for answer in answers]
        width = max(1, *(len(row) for row in words))
        ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in words], device=device)
        counts = torch.tensor([len(row) for row in words], device=device)
        with torch.no_grad():
            embeddings = self.embedding(ids)
        return embeddings.detach(), torch.arange(width, device=device)[None] < counts[:, None]
