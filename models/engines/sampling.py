"""Drawing the next token of many rows at once. Knows no model and no row's history beyond a mask of seen tokens.

Order as in transformers' `generate`: repetition penalty, temperature, top-k, top-p. The penalty's `seen` is the
caller's: the engine marks the answer's own tokens. The uniform number of each draw
belongs to the row (see `uniforms`), so a row's text does not depend on who shares its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from storage.contracts import Sampling

# Most nuclei are smaller than this; rows whose nucleus is larger are sorted in full.
SHORTLIST = 256
# In place of a token where the numbers are no measure of anything.
NO_TOKEN = -1


@dataclass(frozen=True)
class Draws:
    """Sampling parameters of n rows as columns: each `[n]`, float32 (`top_k` int64, 0 = no bound)."""

    temperature: Tensor
    top_p: Tensor
    top_k: Tensor
    penalty: Tensor
    greedy: bool
    penalised: bool

    @classmethod
    def of(cls, rows: list[Sampling], device: torch.device) -> Draws:
        """Columns for these rows."""

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)

        return cls(
            temperature=column([row.temperature for row in rows]),
            top_p=column([row.top_p for row in rows]),
            top_k=torch.tensor([row.top_k for row in rows], dtype=torch.int64, device=device),
            penalty=column([row.repetition_penalty for row in rows]),
            greedy=all(row.temperature == 0 for row in rows),
            penalised=any(row.repetition_penalty != 1 for row in rows),
        )


def uniforms(seed: int, count: int) -> list[float]:
    """The row's own random numbers, one a token, from its seed alone; drawn on the CPU on every device."""
    return torch.rand(count, generator=torch.Generator().manual_seed(seed)).tolist()


def draw(logits: Tensor, seen: Tensor | None, uniform: Tensor, draws: Draws) -> Tensor:
    """Next tokens `[n]` from `logits [n, vocabulary]`; `seen` marks tokens under the repetition penalty.

    A row whose logits are not finite numbers gets `NO_TOKEN`; the others do not notice.
    """
    scores = logits.float()
    if draws.penalised and seen is not None:
        scores = penalise(scores, seen, draws.penalty)
    best = scores.argmax(-1)
    # The greatest is NaN where any is.
    finite = scores.gather(1, best[:, None])[:, 0].isfinite()
    if draws.greedy:
        return torch.where(finite, best, NO_TOKEN)
    scores = scores / draws.temperature.clamp_min(1e-5)[:, None]
    drawn, enough = _from_shortlist(scores, min(SHORTLIST, scores.shape[-1]), uniform, draws)
    if not bool(enough.all()):
        rest = (~enough).nonzero()[:, 0]
        part = Draws(draws.temperature[rest], draws.top_p[rest], draws.top_k[rest], draws.penalty[rest], False, False)
        drawn[rest], _ = _from_shortlist(scores[rest], scores.shape[-1], uniform[rest], part)
    return torch.where(finite, torch.where(draws.temperature == 0, best, drawn), NO_TOKEN)


def log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log probability `[n]` of `tokens [n]` under `logits [n, vocabulary]`: the model's own, whatever the sampling."""
    scores = logits.float()
    return scores.gather(1, tokens[:, None])[:, 0] - scores.logsumexp(-1)


def penalise(scores: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Repetition penalty (Keskar et al. 2019, arXiv:1909.05858, section 4.1) on the tokens that `seen` marks."""
    factor = penalty[:, None]
    return torch.where(seen, torch.where(scores > 0, scores / factor, scores * factor), scores)


def _from_shortlist(scores: Tensor, size: int, uniform: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """Tokens drawn from the `size` best of each row, and whether these hold the row's whole nucleus."""
    total = _mass(scores, draws.top_k)
    best, tokens = scores.topk(size, dim=-1)
    probability = (best - total[:, None]).exp()
    rank = torch.arange(size, device=scores.device)
    limit = torch.where(draws.top_k > 0, draws.top_k, size)
    probability = probability * (rank < limit[:, None])
    before = probability.cumsum(-1) - probability
    kept = probability * ((before < draws.top_p[:, None]) | (rank == 0))
    running = kept.cumsum(-1)
    mass = running[:, -1]
    index = (running <= (uniform * mass)[:, None]).sum(-1).clamp(max=size - 1)
    # Rounding may point past the last kept token: its probability is zero there.
    index = torch.minimum(index, (kept > 0).sum(-1) - 1).clamp_min(0)
    covered = before[:, -1] + probability[:, -1] >= draws.top_p
    bounded = (draws.top_k > 0) & (draws.top_k <= size)
    enough = covered | bounded | torch.full_like(bounded, size == scores.shape[-1])
    return tokens.gather(1, index[:, None])[:, 0], enough


def _mass(scores: Tensor, top_k: Tensor) -> Tensor:
    """Log of the probability mass that top-k leaves, so that top-p counts within it; all of it where there is no k."""
    everything = scores.logsumexp(-1)
    bounded = (top_k > 0).nonzero()[:, 0]
    if not len(bounded):
        return everything
    largest = min(int(top_k.max()), scores.shape[-1])
    best = scores[bounded].topk(largest, dim=-1).values
    outside = torch.arange(largest, device=scores.device) >= top_k[bounded][:, None]
    everything[bounded] = best.masked_fill(outside, -torch.inf).logsumexp(-1)
    return everything


def recommended(generation_config: Any) -> Sampling:
    """What a model's generation_config.json asks for; our defaults where it says nothing or asks for greedy search."""
    asked = generation_config.to_diff_dict() if generation_config is not None else {}
    if not asked.get("do_sample"):
        return Sampling()
    names = ("temperature", "top_p", "top_k", "repetition_penalty")
    return Sampling.model_validate({name: asked[name] for name in names if asked.get(name) is not None})
