"""Credit: from what the discriminator thinks of answers to the advantage of each token. Pure functions.

Knows no model; Monte-Carlo values come in as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from training.estimators import leave_one_out
from training.recipes import RecipeError

Reward = Literal["probability", "logit", "log"]


def shaped(logits: Tensor, reward: Reward) -> Tensor:
    """Rewards from the discriminator's logits: D, log D - log (1 - D) (Ho & Ermon 2016's alternative), or log D."""
    if reward == "probability":
        return torch.sigmoid(logits)
    return logits if reward == "logit" else logsigmoid(logits)


def advantages(values: Tensor, copies: int, normalise: bool) -> Tensor:
    """`[n, t]` from values `[n, t]`: each less the mean of the others' at its place, over the deviation of all.

    Rows are `copies` answers to each prompt in turn; the others are those to the same prompt, or with one copy all
    other rows (Kool et al. 2019: unbiased, for no row's baseline depends on the row). RecipeError for a single row.
    """
    rows, width = values.shape
    if rows < 2:
        raise RecipeError(
            "play: there is one answer an epoch, and the baseline is the mean of the others'. If the set has more "
            "rows, they are too long: raise `longest`; else give more rows or draw play.copies: 2"
        )
    samples = copies if copies > 1 else rows
    groups = values.view(-1, samples, width).transpose(1, 2).reshape(-1, samples)
    found = leave_one_out(groups).view(-1, width, samples).transpose(1, 2).reshape(rows, width)
    return found / (found.std() + 1e-6) if normalise else found


def valued_places(length: int, stride: int) -> list[int]:
    """Places of an answer after which completions are drawn: every `stride`-th, and never the last (it is whole)."""
    return list(range(stride - 1, length - 1, stride))


def spread(known: Sequence[float], places: Sequence[int], final: float, width: int) -> list[float]:
    """A value for each of `width` places: that of the next valued place, and `final` from the last one on."""
    filled: list[float] = []
    for place, value in zip(places, known, strict=True):
        filled += [value] * (place + 1 - len(filled))
    return filled + [final] * (width - len(filled))
