"""Every estimator against numbers worked out by hand, and against the expectations that it stands for."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from training import estimators


def row(*values: float) -> Tensor:
    return torch.tensor([values])


def ones(*shape: int) -> Tensor:
    return torch.ones(shape)


def close(found: Tensor, *wanted: float, within: float = 1e-4) -> None:
    assert found.flatten().tolist() == pytest.approx(wanted, abs=within)


def test_advantages_by_hand() -> None:
    # δ = -0.14, -0.22, 0.8 with γ 0.9; γλ = 0.45
    rewards, values = row(0.0, 0.0, 1.0), row(0.5, 0.4, 0.2)
    advantages, returns = estimators.gae(rewards, values, ones(1, 3), gamma=0.9, lam=0.5)
    close(advantages, -0.077, 0.14, 0.8)
    close(returns, 0.423, 0.54, 1.0)


def test_with_lambda_one_the_return_is_what_was_earned() -> None:
    advantages, returns = estimators.gae(row(1.0, 2.0, 4.0), row(9.0, -3.0, 5.0), ones(1, 3), gamma=1.0, lam=1.0)
    close(returns, 7.0, 6.0, 4.0)
    close(advantages, -2.0, 9.0, -1.0)


def test_with_lambda_zero_the_advantage_is_the_surprise_of_one_step() -> None:
    advantages, _ = estimators.gae(row(1.0, 2.0), row(0.5, 0.25), ones(1, 2), gamma=1.0, lam=0.0)
    close(advantages, 0.75, 1.75)


def test_padding_beside_an_answer_changes_no_advantage() -> None:
    rewards, values = row(0.0, 0.0, 1.0, 99.0), row(0.5, 0.4, 0.2, math.nan)
    advantages, returns = estimators.gae(rewards, values, torch.tensor([[1, 1, 1, 0]]), gamma=0.9, lam=0.5)
    close(advantages, -0.077, 0.14, 0.8, 0.0)
    close(returns, 0.423, 0.54, 1.0, 0.0)


def test_no_gradient_flows_through_advantages() -> None:
    values = row(0.5, 0.4).requires_grad_()
    advantages, returns = estimators.gae(row(0.0, 1.0), values, ones(1, 2), gamma=1.0, lam=0.95)
    assert not advantages.requires_grad and not returns.requires_grad


def test_clipped_policy_loss_by_hand() -> None:
    # min(ρÂ, clip Â): 1.2 (binds), -1.5, 0.5, -0.8 (binds)
    new = row(math.log(1.5), math.log(1.5), math.log(0.5), math.log(0.5))
    loss, share = estimators.policy_loss(new, torch.zeros(1, 4), row(1.0, -1.0, 1.0, -1.0), ones(1, 4), clip=0.2)
    close(loss, 0.15)
    close(share, 0.5)


def test_a_token_whose_clip_binds_gets_no_gradient() -> None:
    new = row(math.log(1.5), math.log(1.1)).requires_grad_()
    loss, _ = estimators.policy_loss(new, torch.zeros(1, 2), row(1.0, 1.0), ones(1, 2), clip=0.2)
    loss.backward()
    assert new.grad is not None
    close(new.grad, 0.0, -0.55)


def test_value_loss_by_hand() -> None:
    values, old, returns = row(0.5), row(0.0), row(1.0)
    close(estimators.value_loss(values, old, returns, ones(1, 1), clip=None), 0.125)
    close(estimators.value_loss(values, old, returns, ones(1, 1), clip=0.2), 0.32)


def test_kl_estimates_by_hand() -> None:
    policy, reference = row(math.log(0.5)), row(math.log(0.25))
    close(estimators.kl(policy, reference, "k1"), math.log(2))
    close(estimators.kl(policy, reference, "k2"), math.log(2) ** 2 / 2)
    close(estimators.kl(policy, reference, "k3"), math.log(2) - 0.5)


@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_unbiased_estimates_average_to_the_divergence(kind: estimators.KlEstimate) -> None:
    policy, reference = (torch.tensor(shares, dtype=torch.float64) for shares in ((0.5, 0.3, 0.2), (0.4, 0.4, 0.2)))
    divergence = float((policy * (policy / reference).log()).sum())
    assert float((policy * estimators.kl(policy.log(), reference.log(), kind)).sum()) == pytest.approx(divergence)


def test_the_score_stands_on_the_last_token_and_kl_on_each() -> None:
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    penalty = torch.tensor([[0.1, 0.2, math.nan], [0.0, 0.4, 1.0]])
    rewards = estimators.shaped_rewards(torch.tensor([2.0, 3.0]), penalty, mask, coefficient=0.5)
    close(rewards, -0.05, 1.9, 0.0, 0.0, -0.2, 2.5)


def test_last_positions_with_answers_that_begin_late() -> None:
    assert estimators.last_positions(torch.tensor([[0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 1, 1]])).tolist() == [2, 0, 3]


def test_leave_one_out_by_hand() -> None:
    # the others' means are 4, 3.5 and 1.5
    close(estimators.leave_one_out(torch.tensor([[1.0, 2.0, 6.0]])), -3.0, -1.5, 4.5)


def test_leave_one_out_needs_others() -> None:
    with pytest.raises(ValueError, match="at least two"):
        estimators.leave_one_out(torch.tensor([[1.0]]))


def test_group_relative_by_hand() -> None:
    close(estimators.group_relative(torch.tensor([[1.0, 2.0, 6.0]])), -0.7559, -0.3780, 1.1339, within=1e-3)
    close(estimators.group_relative(torch.tensor([[1.0, 2.0, 6.0]]), scale=False), -2.0, -1.0, 3.0)
    close(estimators.group_relative(torch.tensor([[4.0, 4.0]])), 0.0, 0.0)


def test_whitening_by_hand() -> None:
    mask = torch.tensor([[1, 1, 1, 0]])
    close(estimators.whiten(row(2.0, 4.0, 6.0, 99.0), mask), -1.0, 0.0, 1.0, 0.0)
    close(estimators.whiten(row(2.0, 4.0, 6.0, 99.0), mask, centre=False), 3.0, 4.0, 5.0, 0.0)


def test_explained_variance_by_hand() -> None:
    returns = row(1.0, 2.0, 4.0)
    close(estimators.explained_variance(row(1.0, 2.0, 3.0), returns, ones(1, 3)), 1 - (1 / 3) / (7 / 3))
    close(estimators.explained_variance(returns, returns, ones(1, 3)), 1.0)
    close(estimators.explained_variance(row(5.0, 5.0, 5.0), returns, ones(1, 3)), 0.0)


@pytest.mark.parametrize(("measured", "wanted"), [(6.0, 0.1), (6.6, 0.101), (12.0, 0.102), (0.0, 0.098)])
def test_the_coefficient_follows_the_divergence_by_hand(measured: float, wanted: float) -> None:
    assert estimators.next_coefficient(0.1, measured, target=6.0) == pytest.approx(wanted)


def test_reinforce_averages_to_the_gradient_of_the_expected_reward() -> None:
    rewards = torch.tensor([1.0, 5.0, -2.0])
    logits = torch.tensor([0.3, -0.2, 0.5], requires_grad=True)
    (wanted,) = torch.autograd.grad((logits.softmax(0) * rewards).sum(), logits)
    found = torch.zeros(3)
    for action in range(3):
        logps = logits.log_softmax(0)[action].reshape(1, 1)
        loss = estimators.reinforce_loss(logps, rewards[action : action + 1], ones(1, 1))
        (gradient,) = torch.autograd.grad(loss, logits)
        found -= logits.detach().softmax(0)[action] * gradient
    close(found, *wanted.tolist())


def test_the_leave_one_out_baseline_keeps_the_gradient_unbiased() -> None:
    rewards = torch.tensor([1.0, 5.0, -2.0])
    logits = torch.tensor([0.3, -0.2, 0.5], requires_grad=True)
    (wanted,) = torch.autograd.grad((logits.softmax(0) * rewards).sum(), logits)
    found, chances = torch.zeros(3), logits.detach().softmax(0)
    for drawn in itertools.product(range(3), repeat=2):
        advantages = estimators.leave_one_out(rewards[list(drawn)][None])[0]
        logps = logits.log_softmax(0)[list(drawn)][:, None]
        (gradient,) = torch.autograd.grad(estimators.reinforce_loss(logps, advantages, ones(2, 1)), logits)
        found -= chances[drawn[0]] * chances[drawn[1]] * gradient
    close(found, *wanted.tolist())


def test_an_answer_without_tokens_counts_for_nothing() -> None:
    mask = torch.tensor([[1, 1], [0, 0]])
    rewards = estimators.shaped_rewards(torch.tensor([1.0, 0.0]), torch.zeros(2, 2), mask, 0.1)
    advantages, _ = estimators.gae(rewards, torch.zeros(2, 2), mask, 1.0, 1.0)
    close(advantages, 1.0, 1.0, 0.0, 0.0)
    close(estimators.masked_mean(torch.tensor([[3.0]]), torch.tensor([[0]])), 0.0)
