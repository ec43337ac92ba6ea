"""The trainer on tiny policies: it learns what is rewarded, stays where KL holds it, and leaves the rest alone."""

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from training.policy import answer_text
from training.ppo import NotFinite, Ppo, summary
from training.rollouts import Trajectory, score

GOOD = 4  # the rewarded token, «кот»
PROMPTS = [(2, 3), (5,), (6, 7, 8), (9, 2)] * 8
ONE = [1] * len(PROMPTS)
SOME = [5] * len(PROMPTS)


def for_good(drawn: Sequence[Trajectory]) -> list[dict[str, float]]:
    return [{"good": float(one.answer[0] == GOOD)} for one in drawn]


def share_of_good(drawn: Sequence[Trajectory]) -> list[dict[str, float]]:
    return [{"good": one.answer.count(GOOD) / len(one.answer)} for one in drawn]


def chances(ppo: Ppo, reference: bool = False) -> list[float]:
    """Probability of the rewarded token as the first of an answer, for each of the four prompts."""
    asked = [Trajectory(prompt, (GOOD,), False) for prompt in PROMPTS[:4]]
    with torch.no_grad():
        if not reference:
            return score(ppo.policy.model, asked).logprobs.exp().flatten().tolist()
        with ppo.policy.reference() as model:
            return score(model, asked).logprobs.exp().flatten().tolist()


def digest(tensors: dict[str, torch.Tensor]) -> str:
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        whole.update(name.encode() + tensor.detach().numpy().tobytes())
    return whole.hexdigest()


def frozen(ppo: Ppo) -> dict[str, torch.Tensor]:
    return {name: one for name, one in ppo.policy.model.named_parameters() if not one.requires_grad}


def test_probability_moves_to_the_rewarded_token(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo()
    before = chances(ppo)
    rewards = [ppo.advance(PROMPTS, ONE, for_good)["reward"] for _ in range(25)]
    assert max(before) < 0.2
    assert min(chances(ppo)) > 0.8
    assert sum(rewards[-5:]) / 5 > 0.7


def test_kl_holds_the_policy_where_theory_says(tiny_ppo: Callable[..., Ppo]) -> None:
    # The best policy under R - β KL is proportional to reference · exp(R / β) (Ziegler et al. 2019, section 2).
    beta = 0.6
    ppo = tiny_ppo(coefficient=beta)
    weights = [(one * math.exp(1 / beta), 1 - one) for one in chances(ppo)]
    best = [good / (good + others) for good, others in weights]
    for step in range(40):
        ppo.advance(PROMPTS, ONE, for_good, share=1 - step / 40)
    assert chances(ppo) == pytest.approx(best, abs=0.05)
    assert max(best) < 0.4


def test_only_adapter_and_critic_change(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo()
    kept, tuned = digest(frozen(ppo)), digest(ppo.trained)
    untuned = chances(ppo, reference=True)
    for _ in range(3):
        ppo.advance(PROMPTS, ONE, for_good)
    assert digest(frozen(ppo)) == kept
    assert digest(ppo.trained) != tuned
    assert chances(ppo, reference=True) == untuned


def test_a_given_adapter_is_the_reference_and_stays_it(tiny_ppo: Callable[..., Ppo], tmp_path: Path) -> None:
    first = tiny_ppo()
    for _ in range(8):
        first.advance(PROMPTS, ONE, for_good)
    first.policy.save(tmp_path / "start")
    second = tiny_ppo(start=tmp_path / "start")
    assert chances(second) == pytest.approx(chances(first), rel=1e-5)
    kept = digest(frozen(second))
    figures = second.advance(PROMPTS, SOME, share_of_good)
    assert figures["kl"] == pytest.approx(0.0, abs=1e-4)
    for _ in range(4):
        second.advance(PROMPTS, SOME, share_of_good)
    assert digest(frozen(second)) == kept
    assert chances(second, reference=True) == pytest.approx(chances(first), rel=1e-5)
    second.policy.save(tmp_path / "end")
    assert {one.name for one in (tmp_path / "end").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}


def test_continued_equals_uninterrupted(tiny_ppo: Callable[..., Ppo]) -> None:
    keys = {"coefficient": 0.05, "ppo": {"kl_target": 0.5}}
    whole, first, second = (tiny_ppo(**keys) for _ in range(3))
    for _ in range(4):
        whole.advance(PROMPTS, SOME, share_of_good)
    for _ in range(2):
        first.advance(PROMPTS, SOME, share_of_good)
    tensors, state = first.state()
    second.restore({name: tensor.clone() for name, tensor in tensors.items()}, state)
    for _ in range(2):
        second.advance(PROMPTS, SOME, share_of_good)
    assert digest(whole.state()[0]) == digest(second.state()[0])
    assert whole.state()[1] == second.state()[1]


def test_the_coefficient_follows_the_divergence(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo(coefficient=0.01, rate=2e-2, ppo={"kl_target": 0.1})
    for _ in range(6):
        before, figures = ppo.coefficient, ppo.advance(PROMPTS, ONE, for_good)
        assert (ppo.coefficient > before) is (figures["kl"] > 0.1)
    assert figures["kl"] > 0.1


def test_passes_end_when_the_policy_has_moved_far(tiny_ppo: Callable[..., Ppo]) -> None:
    free = tiny_ppo(rate=3e-2, ppo={"passes": 6})
    held = tiny_ppo(rate=3e-2, ppo={"passes": 6, "kl_stop": 0.01})
    assert free.advance(PROMPTS, ONE, for_good)["updates"] == 12
    assert held.advance(PROMPTS, ONE, for_good)["updates"] < 12


def test_the_critic_may_learn_first(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo(ppo={"value_steps": 1})
    policy, critic = digest(ppo.policy.trained()), digest(dict(ppo.critic.named_parameters()))
    ppo.advance(PROMPTS, SOME, share_of_good)
    assert digest(ppo.policy.trained()) == policy
    assert digest(dict(ppo.critic.named_parameters())) != critic
    ppo.advance(PROMPTS, SOME, share_of_good)
    assert digest(ppo.policy.trained()) != policy


def test_the_critic_learns_what_to_expect(tiny_ppo: Callable[..., Ppo]) -> None:
    def by_prompt(drawn: Sequence[Trajectory]) -> list[dict[str, float]]:
        return [{"known": float(one.prompt[0] == 5)} for one in drawn]

    ppo = tiny_ppo(ppo={"value_steps": 100, "value_hidden": 16, "lam": 1.0})
    found = [ppo.advance(PROMPTS, SOME, by_prompt)["explained_variance"] for _ in range(40)]
    assert abs(found[0]) < 1e-3
    assert found[-1] > 0.8


def test_a_detached_critic_leaves_the_policy_alone(tiny_ppo: Callable[..., Ppo]) -> None:
    for features, alone in (("detached", True), ("shared", False)):
        ppo = tiny_ppo(ppo={"features": features})
        ppo.critic.last.weight.data.normal_()
        drawn = ppo.draw(PROMPTS, SOME, "x")
        experience = ppo.judged(drawn, share_of_good(drawn))
        experience.advantages.zero_()
        ppo._loss(experience, range(8))[0].backward()
        moved = sum(float(one.grad.abs().sum()) for one in ppo.policy.trained().values() if one.grad is not None)
        assert (moved == 0) is alone


def test_recomputing_changes_memory_only(tiny_ppo: Callable[..., Ppo]) -> None:
    plain, again = tiny_ppo(), tiny_ppo(recompute=True)
    for ppo in (plain, again):
        ppo.advance(PROMPTS, SOME, share_of_good)
    for one, other in zip(plain.trained.values(), again.trained.values(), strict=True):
        torch.testing.assert_close(one, other)
    assert not any(block.training for block in again.policy.blocks)
    assert len(again.policy.blocks) == 2


def test_a_number_that_is_none_is_named_and_nothing_is_learned(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo()
    before = digest(ppo.trained)
    drawn = ppo.draw(PROMPTS, SOME, "x")
    experience = ppo.judged(drawn, share_of_good(drawn))
    experience.advantages.fill_(math.nan)
    with pytest.raises(NotFinite, match="policy_loss"):
        ppo._update(experience, range(16))
    assert digest(ppo.trained) == before


def test_the_figures_of_a_rollout_by_hand(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo()
    drawn = [Trajectory((2,), (GOOD, 0), True), Trajectory((3,), (5, 6, 7), False)]
    experience = ppo.judged(drawn, [{"good": 1.0, "end": 0.5}, {"good": 0.0, "end": 0.0}])
    figures = summary(experience)
    assert figures["reward"] == 0.75 and figures["reward_good"] == 0.5 and figures["reward_end"] == 0.25
    assert figures["length"] == 2.5 and figures["ended"] == 0.5
    assert figures["kl"] == pytest.approx(0.0, abs=1e-6)
    apart = [float(score(ppo.policy.model, [one]).logprobs.sum().detach()) for one in drawn]
    assert figures["entropy"] == pytest.approx(-sum(apart) / 5, rel=1e-4)


def test_the_same_seed_draws_the_same_answers(tiny_ppo: Callable[..., Ppo]) -> None:
    ppo = tiny_ppo()
    assert ppo.draw(PROMPTS, SOME, "a") == ppo.draw(PROMPTS, SOME, "a")
    assert ppo.draw(PROMPTS, SOME, "a") != ppo.draw(PROMPTS, SOME, "b")


def test_an_answer_is_read_as_serving_sends_it(words: Any) -> None:
    assert answer_text(words, (4, 6, 0)) == "кот мир"
