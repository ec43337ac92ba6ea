"""Log-probabilities of given tokens from hidden states, without holding the logits of a whole batch.

For a frozen output layer the derivative by the hidden state is computed along with the value, piece by piece:
∂ log p(y) / ∂h = W_y − Σ_v p(v) W_v, so the backward pass needs neither the logits nor a second product.
Knows nothing of sequences or what the log-probabilities are for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Rows of logits held at once: 64 rows of 50,257 float32 take 13 MB.
PIECE = 64


def token_logprobs(head: Any, hidden: Tensor, tokens: Tensor, temperature: float = 1.0) -> Tensor:
    """`log softmax(head(hidden) / temperature)[tokens]` as `[n]` float32, from `hidden [n, size]`, `tokens [n]`.

    Gradients flow into `hidden`; into `head` too where it is trained or is no plain linear layer, at the cost of
    keeping all logits.
    """
    plain = type(head) is torch.nn.Linear and not any(weight.requires_grad for weight in head.parameters())
    if plain and len(tokens):
        found: Tensor = _Frozen.apply(hidden, tokens, head.weight, head.bias, temperature)  # type: ignore[no-untyped-call]
        return found
    logits: Tensor = head(hidden).float() / temperature
    return logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]


class _Frozen(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, tokens: Tensor, weight: Tensor, bias: Tensor | None, temperature: float
    ) -> Tensor:
        wanted = ctx.needs_input_grad[0]
        values, slopes = [], []
        # Whole pieces only: each new size would have the CPU's matrix library compile kernels and keep them.
        spare = -len(tokens) % min(PIECE, 1 << (len(tokens) - 1).bit_length())
        padded = torch.nn.functional.pad(hidden.detach(), (0, 0, 0, spare))
        wanted_ids = torch.nn.functional.pad(tokens, (0, spare))
        for rows, ids in zip(torch.split(padded, PIECE), torch.split(wanted_ids, PIECE), strict=True):
            logits = torch.nn.functional.linear(rows, weight, bias).float().div_(temperature)
            total = logits.logsumexp(-1)
            values.append(logits.gather(-1, ids[:, None])[:, 0] - total)
            if wanted:
                shares = logits.sub_(total[:, None]).exp_().to(weight.dtype)
                slopes.append((weight[ids] - shares @ weight).div_(temperature))
        if wanted:
            ctx.save_for_backward(torch.cat(slopes)[: len(tokens)])
        return torch.cat(values)[: len(tokens)]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return (grads[0][:, None] * slopes).to(slopes.dtype), None, None, None, None
