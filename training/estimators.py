"""Policy-gradient arithmetic: KL estimates, shaped rewards, advantages, clipped losses. Pure functions on tensors.

`[rows, tokens]` tensors go with a `mask` of ones over the answer's own tokens (its end token included); what stands
elsewhere never counts. Knows no model, tokenizer or sampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

KlEstimate = Literal["k1", "k2", "k3"]
TINY = 1e-8


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values under the mask, a scalar; 0 if nothing is under it."""
    return _chosen(values, mask).sum() / mask.sum().clamp(min=1)


def masked_variance(values: Tensor, mask: Tensor) -> Tensor:
    """Variance under the mask, divided by n - 1 (0 for a single value)."""
    centred = _chosen(values - masked_mean(values, mask), mask)
    return centred.square().sum() / (mask.sum() - 1).clamp(min=1)


def whiten(values: Tensor, mask: Tensor, centre: bool = True) -> Tensor:
    """Values with variance 1 and, if `centre`, mean 0 under the mask; 0 outside it."""
    mean = masked_mean(values, mask)
    scaled = (values - mean) / (masked_variance(values, mask) + TINY).sqrt()
    return _chosen(scaled if centre else scaled + mean, mask)


def kl(policy: Tensor, reference: Tensor, kind: KlEstimate = "k1") -> Tensor:
    """KL(policy ‖ reference) from log-probabilities of tokens that the policy drew, one estimate a token.

    With log r = reference - policy (Schulman 2020, joschu.net/blog/kl-approx.html): k1 = -log r, unbiased; k2 =
    (log r)² / 2, biased, never negative; k3 = (r - 1) - log r, unbiased and never negative.
    """
    log_ratio = reference - policy
    if kind == "k1":
        return -log_ratio
    if kind == "k2":
        return log_ratio.square() / 2
    return log_ratio.expm1() - log_ratio


def shaped_rewards(scores: Tensor, penalty: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """Reward of every token `[rows, tokens]`: -coefficient · KL, and the answer's score `[rows]` on its last token.

    The sum over a row is R(x, y) of Ziegler et al. 2019 (arXiv:1909.08593), equation 2.
    """
    rewards = _chosen(-coefficient * penalty, mask)
    last = last_positions(mask)[:, None]
    return rewards.scatter_add(1, last, scores[:, None].to(rewards))


def last_positions(mask: Tensor) -> Tensor:
    """Index of the last token under the mask, `[rows]`; 0 for an empty row."""
    import torch

    places = torch.arange(mask.shape[1], device=mask.device)
    return (places * mask.long()).amax(1)


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """`(advantages, returns)`, both `[rows, tokens]`, without gradient; the state after the last token is worth 0.

    Schulman et al. 2016 (arXiv:1506.02438), equation 16: Â_t = Σ_l (γλ)^l δ_{t+l} with δ_t = r_t + γ V_{t+1} - V_t,
    summed backwards; returns are Â + V. The masked tokens of a row must stand together.
    """
    import torch

    values, rewards = _chosen(values.detach(), mask), _chosen(rewards, mask)
    advantages = torch.zeros_like(values)
    following = torch.zeros_like(values[:, 0])
    for place in reversed(range(values.shape[1])):
        after = values[:, place + 1] if place + 1 < values.shape[1] else torch.zeros_like(following)
        delta = rewards[:, place] + gamma * after - values[:, place]
        following = (delta + gamma * lam * following) * mask[:, place].to(delta)
        advantages[:, place] = following
    return advantages, advantages + values


def policy_loss(new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """`(loss, share of tokens where the clip binds)` from log-probabilities now and when the answers were drawn.

    Schulman et al. 2017 (arXiv:1707.06347), equation 7: -E[min(ρ Â, clip(ρ, 1 - ε, 1 + ε) Â)], ρ = exp(new - old).
    """
    ratio = (new - old).exp()
    free, bounded = ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages
    binds = (bounded < free).to(ratio)
    return -masked_mean(free.minimum(bounded), mask), masked_mean(binds, mask).detach()


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float | None) -> Tensor:
    """Half the squared error of the values, L^VF of Schulman et al. 2017, equation 9.

    With `clip`, the larger of it and the error of a value that moved at most `clip` from the old one, as the authors'
    code has it (Engstrom et al. 2020, arXiv:2005.12729, section 2).
    """
    error = (values - returns).square()
    if clip is not None:
        bounded = old + (values - old).clamp(-clip, clip)
        error = error.maximum((bounded - returns).square())
    return masked_mean(error, mask) / 2


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """1 - Var(returns - values) / Var(returns): 1 is a perfect critic, 0 a constant one, below 0 a harmful one."""
    return 1 - masked_variance(returns - values, mask) / (masked_variance(returns, mask) + TINY)


def next_coefficient(coefficient: float, measured: float, target: float, gain: float = 0.1) -> float:
    """The KL coefficient of the next rollout: a proportional controller in log space.

    Ziegler et al. 2019, section 2.2: β · (1 + K_β e) with e = clip((KL - target) / target, -0.2, 0.2).
    """
    error = min(0.2, max(-0.2, (measured - target) / target))
    return coefficient * (1 + gain * error)


def leave_one_out(scores: Tensor) -> Tensor:
    """Each score minus the mean of the other scores of its prompt, `[prompts, samples]` with two samples or more.

    RLOO: Kool et al. 2019; Ahmadian et al. 2024 (arXiv:2402.14740), section 3. Unbiased, since a sample's baseline
    does not depend on the sample.
    """
    samples = scores.shape[1]
    if samples < 2:
        raise ValueError("a leave-one-out baseline needs at least two samples of each prompt")
    return (scores - scores.mean(1, keepdim=True)) * (samples / (samples - 1))


def group_relative(scores: Tensor, scale: bool = True) -> Tensor:
    """Scores of each prompt's samples less their mean and, if `scale`, over their standard deviation (n - 1).

    GRPO: Shao et al. 2024 (arXiv:2402.03300), section 4.1.2. `[prompts, samples]`; equal scores give zeros.
    """
    centred = scores - scores.mean(1, keepdim=True)
    return centred / (scores.std(1, keepdim=True) + 1e-4) if scale else centred


def reinforce_loss(logps: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
    """-E[Â · log π(answer)] over rows, with `advantages` `[rows]`: REINFORCE (Williams 1992, equation 11).

    The answer's log-probability is the sum over its own tokens, so that the gradient is the policy gradient.
    """
    return -(advantages.detach() * _chosen(logps, mask).sum(1)).mean()


def _chosen(values: Tensor, mask: Tensor) -> Tensor:
    # Not a product: 0 · NaN would let what stands in the padding through.
    return values.masked_fill(mask == 0, 0.0)
