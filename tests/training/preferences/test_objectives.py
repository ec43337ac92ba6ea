"""Numbers worked out by hand: σ(0.2) = 0.549834, σ(0.5) = 0.622459, σ(1) = 0.731059, −ln σ(0) = 0.693147."""

import pytest
import torch

from training.objectives import (
    bradley_terry_loss,
    dpo_loss,
    kto_loss,
    kto_reference_point,
    kto_value,
    kto_weights,
    simpo_loss,
)


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_dpo_of_an_untrained_policy_is_ln_2() -> None:
    same = t(-7.0, -3.0)
    assert float(dpo_loss(same, same - 4, same, same - 4, beta=0.1)) == pytest.approx(0.693147, abs=1e-6)


def test_dpo_by_hand() -> None:
    # chosen: -8 - (-10) = 2; rejected: -12 - (-12) = 0; 0.1 · 2 = 0.2; -ln 0.549834 = 0.598139
    loss = dpo_loss(t(-8.0), t(-12.0), t(-10.0), t(-12.0), beta=0.1)
    assert float(loss) == pytest.approx(0.598139, abs=1e-6)


def test_dpo_is_the_mean_over_pairs() -> None:
    # the second pair's ratio is -2: -ln σ(-0.2) = 0.798139; (0.598139 + 0.798139) / 2
    loss = dpo_loss(t(-8.0, -12.0), t(-12.0, -12.0), t(-10.0, -10.0), t(-12.0, -12.0), beta=0.1)
    assert float(loss) == pytest.approx(0.698139, abs=1e-6)


def test_dpo_gradient_pushes_chosen_up_and_rejected_down_alike() -> None:
    # d/dx -ln σ(x) = -(1 - σ(x)); times β: 0.1 · (1 - 0.549834) = 0.0450166
    chosen, rejected = t(-8.0).requires_grad_(), t(-12.0).requires_grad_()
    dpo_loss(chosen, rejected, t(-10.0), t(-12.0), beta=0.1).backward()
    assert chosen.grad is not None and rejected.grad is not None
    assert float(chosen.grad) == pytest.approx(-0.0450166, abs=1e-7)
    assert float(rejected.grad) == pytest.approx(0.0450166, abs=1e-7)


def test_dpo_with_a_tenth_of_pairs_flipped() -> None:
    # (0.9 · 0.598139 - 0.1 · 0.798139) / 0.8 = 0.573139
    loss = dpo_loss(t(-8.0), t(-12.0), t(-10.0), t(-12.0), beta=0.1, label_smoothing=0.1)
    assert float(loss) == pytest.approx(0.573139, abs=1e-6)


def test_simpo_by_hand() -> None:
    # a token: -6/3 = -2 and -12/4 = -3; 2 · 1 - 0.5 = 1.5; -ln σ(1.5) = 0.201413
    loss = simpo_loss(t(-6.0), t(-12.0), t(3.0), t(4.0), beta=2.0, gamma=0.5)
    assert float(loss) == pytest.approx(0.201413, abs=1e-6)


def test_simpo_does_not_pay_for_length() -> None:
    short = simpo_loss(t(-6.0), t(-6.0), t(3.0), t(2.0), beta=2.0, gamma=0.0)
    long = simpo_loss(t(-60.0), t(-6.0), t(30.0), t(2.0), beta=2.0, gamma=0.0)
    assert float(short) == pytest.approx(float(long), abs=1e-12)


def test_simpo_asks_for_the_target_margin() -> None:
    # Equal rewards: -ln σ(-γ); γ = 1: -ln 0.268941 = 1.313262
    assert float(simpo_loss(t(-4.0), t(-4.0), t(2.0), t(2.0), 2.0, 1.0)) == pytest.approx(1.313262, abs=1e-6)


def test_kto_values_by_hand() -> None:
    # z0 = 1, β = 0.5: desirable ratio 3 → σ(0.5 · 2) = 0.731059; undesirable ratio 0 → σ(0.5 · 1) = 0.622459
    values = kto_value(t(3.0, 0.0), torch.tensor([True, False]), t(1.0)[0], beta=0.5, good=1.0, bad=1.0)
    assert values.tolist() == pytest.approx([0.731059, 0.622459], abs=1e-6)


def test_kto_loss_by_hand_with_weights() -> None:
    # 2 - 2 · 0.731059 = 0.537882; 1.5 - 1.5 · 0.622459 = 0.566311; mean 0.552097
    loss = kto_loss(t(3.0, 0.0), torch.tensor([True, False]), t(1.0)[0], beta=0.5, good=2.0, bad=1.5)
    assert float(loss) == pytest.approx(0.552097, abs=1e-6)


def test_kto_reference_point_is_never_negative_and_carries_no_gradient() -> None:
    ratios = t(2.0, 4.0).requires_grad_()
    assert float(kto_reference_point(ratios)) == 3.0
    assert not kto_reference_point(ratios).requires_grad
    assert float(kto_reference_point(t(-2.0, -4.0))) == 0.0


@pytest.mark.parametrize(
    ("desirable", "undesirable", "good", "bad"),
    [
        (100, 100, 1.0, 1.0),
        (130, 100, 1.0, 1.0),  # 1.3 lies between 1 and 4/3
        (100, 1000, 10.0, 1.0),  # 10 · 100 / 1000 = 1
        (800, 100, 1.0, 6.0),  # 800 / (6 · 100) = 4/3
        (0, 7, 1.0, 1.0),
        (7, 0, 1.0, 1.0),
    ],
)
def test_kto_weights_lift_the_smaller_side(desirable: int, undesirable: int, good: float, bad: float) -> None:
    assert kto_weights(desirable, undesirable) == pytest.approx((good, bad))


@pytest.mark.parametrize("desirable", [1, 3, 40, 77, 5000])
@pytest.mark.parametrize("undesirable", [1, 4, 30, 1234])
def test_kto_balance_is_always_kept(desirable: int, undesirable: int) -> None:
    good, bad = kto_weights(desirable, undesirable)
    assert 1 - 1e-9 <= good * desirable / (bad * undesirable) <= 4 / 3 + 1e-9
    assert min(good, bad) == 1.0


def test_bradley_terry_by_hand() -> None:
    # -ln σ(2 - 1) = 0.313262; -ln σ(0) = 0.693147; mean 0.503205
    assert float(bradley_terry_loss(t(2.0, 0.5), t(1.0, 0.5))) == pytest.approx(0.503205, abs=1e-6)


def test_centred_scores_cost_nothing_and_shifted_ones_do() -> None:
    # 0.01 · (3 + 1)² = 0.16 beside the same margin
    centred, shifted = t(1.0), t(3.0)
    plain = bradley_terry_loss(centred, -centred, centre=0.01)
    moved = bradley_terry_loss(shifted, t(1.0), centre=0.01)
    assert float(moved) - float(plain) == pytest.approx(0.16, abs=1e-9)
