"""What the preference methods minimise, as formulas on log-probabilities and scores of whole answers.

The trainers compute these from token batches; tests hold both against each other and against numbers worked out by
hand. Knows no model, tokenizer or row. All tensors are one value an answer, shape (n,); losses are means over n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Ethayarajh et al. 2024 keep the weighted counts of good and bad answers between these (eq. 8 of the first version).
LEAST_BALANCE, MOST_BALANCE = 1.0, 4 / 3


def dpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Direct preference optimisation, Rafailov et al. 2023, eq. 7; inputs are summed log-probabilities in nats.

    `label_smoothing` is the share ε < 0.5 of pairs that are taken to be the wrong way round; above zero the loss is
    the unbiased one of Chowdhury et al. 2024, eq. 11 (TRL's `robust`).
    """
    from torch.nn.functional import logsigmoid

    logits = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    flipped = label_smoothing * logsigmoid(-logits)
    clean = (1 - label_smoothing) * logsigmoid(logits)
    return ((flipped - clean) / (1 - 2 * label_smoothing)).mean()


def simpo_loss(
    chosen: Tensor, rejected: Tensor, chosen_tokens: Tensor, rejected_tokens: Tensor, beta: float, gamma: float
) -> Tensor:
    """Simple preference optimisation, Meng et al. 2024, eq. 6: log-probabilities a token, and no reference model.

    `chosen`, `rejected`: summed log-probabilities; `*_tokens`: how many tokens each sum has (the end token counted).
    """
    from torch.nn.functional import logsigmoid

    return -logsigmoid(beta * (chosen / chosen_tokens - rejected / rejected_tokens) - gamma).mean()


def kto_reference_point(mismatched_ratios: Tensor) -> Tensor:
    """The reference point z₀ of Ethayarajh et al. 2024, section 4: the policy's divergence from the reference.

    Estimated from log-ratios of answers under prompts that they do not belong to; never below zero; carries no
    gradient. Shape ().
    """
    return mismatched_ratios.mean().clamp(min=0).detach()


def kto_value(
    ratios: Tensor, desirable: Tensor, z0: Tensor, beta: float, good: float = 1.0, bad: float = 1.0
) -> Tensor:
    """What an answer is worth, Ethayarajh et al. 2024, eq. 8: λ σ(β(r − z₀)) if desirable, λ σ(β(z₀ − r)) if not.

    `ratios`: log-probability under the policy less that under the reference; `desirable`: booleans; `good`, `bad`:
    λ_D and λ_U.
    """
    import torch

    worth = torch.sigmoid(beta * torch.where(desirable, ratios - z0, z0 - ratios))
    return torch.where(desirable, good, bad) * worth


def kto_loss(ratios: Tensor, desirable: Tensor, z0: Tensor, beta: float, good: float = 1.0, bad: float = 1.0) -> Tensor:
    """Mean of λ − v over answers: the loss around `kto_value` in the same equation."""
    import torch

    return (torch.where(desirable, good, bad) - kto_value(ratios, desirable, z0, beta, good, bad)).mean()


def kto_weights(desirable: int, undesirable: int) -> tuple[float, float]:
    """`(λ_D, λ_U)` for these counts: λ_D n_D / λ_U n_U lies between 1:1 and 4:3, the smaller side is lifted, never the
    larger one lowered. With a side empty both are 1: there is nothing to balance."""
    if not desirable or not undesirable:
        return 1.0, 1.0
    ratio = desirable / undesirable
    if ratio < LEAST_BALANCE:
        return LEAST_BALANCE / ratio, 1.0
    if ratio > MOST_BALANCE:
        return 1.0, ratio / MOST_BALANCE
    return 1.0, 1.0


def bradley_terry_loss(chosen: Tensor, rejected: Tensor, centre: float = 0.0) -> Tensor:
    """−log σ(s⁺ − s⁻), Ouyang et al. 2022, eq. 1 (Bradley & Terry 1952), plus `centre` · mean (s⁺ + s⁻)², which keeps
    scores around zero (Eisenstein et al. 2023, eq. 2). `chosen`, `rejected`: scores of the two answers of each pair."""
    from torch.nn.functional import logsigmoid

    return -logsigmoid(chosen - rejected).mean() + centre * ((chosen + rejected) ** 2).mean()
