"""The method itself: it raises its reward, credit goes where it belongs, and an epoch is a function of its seed."""

from __future__ import annotations

import math

import pytest
import torch

from tests.models import tiny as families
from tests.training.gan import tiny
from training.gan.credit import advantages, shaped, spread, valued_places
from training.recipes import RecipeError


def chance(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_cross_entropy_falls_on_real_rows() -> None:
    gan = tiny.gan(tiny.model(sharpness=2.0), warm_epochs=12, warm_rate=3e-3, updates=2)
    losses: list[float] = []
    gan.train(tiny.examples(24), 0, after=lambda epoch, found: losses.append(found["warm_loss"]))
    assert len(losses) == 12 and losses[-1] < losses[0] - 0.15


def last_rewards(monkeypatch: pytest.MonkeyPatch, rate: float, **settings: int) -> float:
    """Mean reward of the last five of 14 epochs, under a judge that likes the first letters of the alphabet.

    Equal seeds draw with equal random numbers, so runs differ by what they learned alone.
    """
    gan = tiny.gan(tiny.model(), learning_rate=rate, discriminator_steps=0, discriminator_warm_steps=0, **settings)

    def judged(answers: list[tuple[int, ...]]) -> torch.Tensor:
        return torch.tensor([sum(token < 25 for token in one) / len(one) for one in answers])

    monkeypatch.setattr(gan, "judged", judged)
    rewards: list[float] = []
    gan.train(tiny.examples(20), 14, after=lambda epoch, found: rewards.append(found["reward"]))
    return sum(rewards[-5:]) / 5


@pytest.mark.parametrize(
    "settings",
    [
        {"updates": 1},
        {"updates": 4},
        {"copies": 2, "updates": 4},
        {"redraw": 2},
        {"rollouts_per_token": 2, "rollout_stride": 12},
    ],
    ids=["one update", "four updates", "two copies", "answers used twice", "completions"],
)
def test_the_policy_gradient_raises_the_reward(monkeypatch: pytest.MonkeyPatch, settings: dict[str, int]) -> None:
    still = last_rewards(monkeypatch, 1e-12, updates=1)
    assert last_rewards(monkeypatch, 2e-2, **settings) > still + 0.02


def test_the_discriminator_learns_to_tell_real_from_drawn() -> None:
    gan = tiny.gan(tiny.model(), discriminator_rate=1e-2)
    examples = tiny.examples(24)
    fake = [one.answer for one in gan.generate(examples, chance()).trajectories]
    real = [one.answer for one in examples]
    losses = [gan.discriminator_step(real, fake) for _ in range(80)]
    assert losses[-1] < 0.5 * losses[0]
    assert float((gan.judged(real) > 0.5).float().mean()) > 0.9 > 0.1 > float((gan.judged(fake) > 0.5).float().mean())


@pytest.mark.parametrize("family", families.FAMILIES)
def test_every_family_takes_a_generator(family: str) -> None:
    base = tiny.model(family, sharpness=2.0)
    gan = tiny.gan(base, warm_epochs=1, updates=2)
    figures: list[dict[str, float]] = []
    gan.train(tiny.examples(6), 2, after=lambda epoch, found: figures.append(found))
    assert len(figures) == 3 and all(math.isfinite(value) for one in figures for value in one.values())


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    def run(rows: int, batch: int) -> list[dict[str, float]]:
        found: list[dict[str, float]] = []
        gan = tiny.gan(tiny.model(), rows=rows, batch=batch, updates=2)
        gan.train(tiny.examples(9), 2, after=lambda epoch, one: found.append(one))
        return found

    for first, second in zip(run(9, 9), run(2, 4), strict=True):  # how it is cut into passes does not matter
        assert first == pytest.approx(second, abs=1e-4)


def test_answers_may_serve_several_epochs() -> None:
    gan = tiny.gan(tiny.model(), redraw=3, warm_epochs=1, updates=2)
    drawn: list[object] = []
    gan.train(tiny.examples(6), 7, after=lambda epoch, found: drawn.append(gan._kept))
    assert drawn[0] is None
    assert [drawn[1] is one for one in drawn[1:]] == [True, True, True, False, False, False, False]
    assert drawn[4] is drawn[6] is not drawn[7]
    assert [gan.draws_anew(epoch) for epoch in range(8)] == [True, True, False, False, True, False, False, True]


def test_answers_keep_to_their_budget_and_a_generator_of_scale_zero_is_the_base() -> None:
    base = tiny.model()
    gan = tiny.gan(base, start=0.0)
    examples = tiny.examples(5)
    drawn = gan.generate(examples, chance(), copies=3)
    assert len(drawn.trajectories) == 15
    assert all(len(one.answer) <= budget for one, budget in zip(drawn.trajectories, drawn.budgets, strict=True))
    embeddings = torch.randn(2, 4, 32)
    assert torch.equal(gan.generator(embeddings, torch.randn(2, 4, 100)), embeddings)


def test_leave_one_out_by_hand() -> None:
    values = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 6.0], [5.0, 2.0]])
    found = advantages(values, copies=2, normalise=False)
    assert found.tolist() == [[-2.0, 0.0], [2.0, 0.0], [0.0, 4.0], [0.0, -4.0]]
    everyone = advantages(values, copies=1, normalise=False)
    assert everyone[0, 0] == pytest.approx(1 - (3 + 5 + 5) / 3)
    assert advantages(values, 2, True).std() == pytest.approx(1, abs=1e-4)


def test_a_single_answer_has_no_baseline() -> None:
    with pytest.raises(RecipeError, match="copies"):
        advantages(torch.ones(1, 4), 1, True)


def test_a_token_is_worth_what_its_completions_are() -> None:
    assert valued_places(7, 1) == [0, 1, 2, 3, 4, 5]
    assert valued_places(7, 3) == [2, 5]
    assert valued_places(1, 1) == []
    assert spread([0.2, 0.4], [2, 5], 0.9, 9) == [0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.9, 0.9, 0.9]


def test_completions_keep_the_answers_beginning_and_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    gan = tiny.gan(tiny.model(), rollouts_per_token=3, rollout_stride=2)
    drawn = gan.generate(tiny.examples(2), chance())
    whole: list[list[tuple[int, ...]]] = []
    judged = gan.judged

    def noted(answers: list[tuple[int, ...]]) -> torch.Tensor:
        whole.append(answers)
        return judged(answers)

    monkeypatch.setattr(gan, "judged", noted)
    values = gan.rewards(drawn, chance())
    first = drawn.trajectories[0].answer
    places = valued_places(len(first), 2)
    completions = whole[1][: 3 * len(places)]
    for number, completed in enumerate(completions):
        cut = places[number // 3] + 1
        assert completed[:cut] == first[:cut] and len(completed) <= drawn.budgets[0]
    assert values[0, 0] == pytest.approx(float(judged(completions[:3]).mean()), abs=1e-6)
    assert values[0, len(first) - 1] == pytest.approx(float(judged([first])[0]), abs=1e-6)


def test_rewards_by_hand() -> None:
    logits = torch.tensor([0.0, 2.0])
    assert shaped(logits, "probability").tolist() == pytest.approx([0.5, 0.8808], abs=1e-4)
    assert shaped(logits, "logit").tolist() == [0.0, 2.0]
    assert shaped(logits, "log").tolist() == pytest.approx([-0.6931, -0.1269], abs=1e-4)
