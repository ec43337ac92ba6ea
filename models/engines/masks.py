"""Attention masks for packed prompts and for rows of unequal length. Knows nothing of caches.

Masks are made here and handed to the model whole (4-D), so every family attends alike, sliding windows included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.errors import ModelMissing

Mask = Tensor | dict[str, Tensor]

FULL = "full_attention"
SLIDING = "sliding_attention"


class MaskMaker:
    """Masks for one model: its kinds of layers, its window, and whether it wants them boolean or additive."""

    def __init__(self, config: Any, dtype: torch.dtype) -> None:
        window = getattr(config, "sliding_window", None)
        types = getattr(config, "layer_types", None)
        # Without layer types (Mistral) a window, where there is one, holds for every layer.
        self.kinds = sorted(set(types)) if types else [SLIDING if window else FULL]
        unknown = set(self.kinds) - {FULL, SLIDING}
        if unknown:
            raise ModelMissing(
                f"the base model has {', '.join(sorted(unknown))} layers, which this engine cannot run; "
                "set MODELS_BASE to another model or MODELS_ENGINE=openai with a server that runs it"
            )
        self.window = int(window) if window else None
        self.boolean = config._attn_implementation == "sdpa"
        self.dtype = dtype

    def packed(self, lengths: Sequence[int], device: torch.device) -> Mask:
        """`[1, 1, total, total]`: each token sees its own prompt's tokens up to itself."""
        counts = torch.tensor(lengths, device=device)
        owner = torch.repeat_interleave(torch.arange(len(lengths), device=device), counts)
        place = torch.arange(len(owner), device=device)
        seen = (owner[:, None] == owner[None]) & (place[:, None] >= place[None])
        return self._make(seen[None, None], (place[:, None] - place[None])[None, None])

    def decode(self, lengths: Tensor, width: int) -> Mask:
        """`[n, 1, 1, width]`: a row's newest token, at place `lengths`, sees the places up to it."""
        place = torch.arange(width, device=lengths.device)
        distance = (lengths[:, None] - place[None])[:, None, None]
        return self._make(distance >= 0, distance)

    def _make(self, seen: Tensor, distance: Tensor) -> Mask:
        masks = {kind: self._finish(self._windowed(kind, seen, distance)) for kind in self.kinds}
        return masks if len(masks) > 1 else masks[self.kinds[0]]

    def _windowed(self, kind: str, seen: Tensor, distance: Tensor) -> Tensor:
        return seen & (distance < self.window) if kind == SLIDING and self.window else seen

    def _finish(self, seen: Tensor) -> Tensor:
        if self.boolean:
            return seen
        floor = torch.finfo(self.dtype).min
        return torch.zeros(seen.shape, dtype=self.dtype, device=seen.device).masked_fill_(~seen, floor)
