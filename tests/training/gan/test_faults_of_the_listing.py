"""Every fault found in the published listing: shown on `ListingGAN`, and absent from `LanguageGAN`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.gan import tiny
from training.gan import LanguageGAN
from training.gan.credit import advantages
from training.gan.discriminator import AnswerReader, Discriminator
from training.gan.language_gan import Drawn, Example
from training.gan.listing import ListingDiscriminator, ListingGAN, printed_loss, summed_policy
from training.gan.weight_change import weights_hash
from training.rollouts import Trajectory, score

INPUTS, OUTPUTS = 20, 12


def listing(base: Any, **settings: Any) -> ListingGAN:
    torch.manual_seed(1)
    return ListingGAN(base, tiny.ENDS, pad=0, inputs=INPUTS, outputs=OUTPUTS, **settings)


def chance(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradient_of(gan: LanguageGAN, drawn: Drawn, credit: Tensor) -> Tensor:
    """The generator's gradient of one step, which is then not taken."""
    found: list[Tensor] = []
    gan._update = lambda loss: found.append(tiny.gradients(gan.generator)) or loss  # type: ignore[method-assign, func-returns-value]
    gan.generator.zero_grad()
    gan.generator_step(drawn, credit)
    gan.generator.zero_grad()
    return found[0]


def test_summing_logits_over_places_leaves_no_gradient() -> None:
    base = tiny.model(sharpness=8.0)
    printed = ListingGAN(base, tiny.ENDS, pad=0, inputs=300, outputs=4, frozen=True)
    printed.generator_step(printed.generate(tiny.examples(1)[0].prompt))
    assert tiny.gradients(printed.generator).abs().max() == 0
    gan = tiny.gan(base)
    drawn = gan.generate(tiny.examples(4), chance())
    credit = advantages(gan.rewards(drawn, chance()), 1, True)
    assert gradient_of(gan, drawn, credit).abs().max() > 1e-6


def test_summed_logits_make_a_saturated_policy() -> None:
    logits = torch.randn(1, 150, 500, generator=chance()) + 3 * torch.randn(500, generator=chance(4))
    assert summed_policy(logits).probs.max() == 1
    assert torch.distributions.Categorical(logits=logits[:, -1]).probs.max() < 0.99


def test_a_fresh_action_has_expectation_zero_and_the_trajectorys_own_token_the_true_gradient() -> None:
    """All answers of one token are enumerated, so that both expectations are exact."""
    base = tiny.model(sharpness=2.0)
    gan = tiny.gan(base)
    gan.model.requires_grad_(False)
    prompt, size = (1, 9, 14, 30), base.config.vocab_size
    noise = torch.randn(1, 100, generator=chance()).expand(size, -1)
    worth = torch.randn(size, generator=chance(5))
    every = [Trajectory(prompt, (token,), False) for token in range(size)]
    logprobs = score(base, every, embed=gan._embed(noise)).logprobs[:, 0]
    shares = logprobs.exp().detach()
    true = -torch.cat(
        [
            one.reshape(-1)
            for one in torch.autograd.grad((logprobs.exp() * worth).sum(), list(gan.generator.parameters()))
        ]
    )
    # The estimator's expectation: each trajectory weighted by how often it is drawn.
    drawn = Drawn(every, noise, [1] * size)
    expected = gradient_of(gan, drawn, (shares * worth)[:, None] * size)
    torch.testing.assert_close(expected, true, atol=1e-5, rtol=1e-3)
    # As printed: the reward belongs to the trajectory, the score to another draw, so they are independent.
    logprobs = score(base, every, embed=gan._embed(noise)).logprobs[:, 0]
    fresh = -(shares * worth).sum() * (shares * logprobs).sum()
    printed = torch.cat([one.reshape(-1) for one in torch.autograd.grad(fresh, list(gan.generator.parameters()))])
    assert printed.norm() < 1e-4 * true.norm()


def test_a_reward_that_all_answers_share_teaches_nothing_only_with_a_baseline() -> None:
    log_probs = [torch.tensor([-1.0], requires_grad=True)]
    printed_loss(log_probs, torch.full((1, 3), 0.7)).backward()
    assert log_probs[0].grad is not None and log_probs[0].grad.abs() > 0.5
    assert advantages(torch.full((6, 3), 0.7), 1, False).abs().max() < 1e-6
    values = torch.rand(6, 3, generator=chance())
    torch.testing.assert_close(advantages(values + 5, 3, True), advantages(values, 3, True), atol=1e-4, rtol=1e-3)


def test_zip_over_one_row_of_rewards_drops_all_tokens_but_the_first() -> None:
    log_probs = [torch.tensor([-1.0], requires_grad=True) for _ in range(5)]
    printed_loss(log_probs, torch.rand(1, 5) + 1).backward()
    assert [one.grad is not None for one in log_probs] == [True, False, False, False, False]
    base = tiny.model()
    gan = tiny.gan(base)
    drawn = gan.generate(tiny.examples(3), chance())
    width = max(len(one.answer) for one in drawn.trajectories)
    for place in range(width):
        credit = torch.zeros(3, width)
        credit[:, place] = 1
        assert gradient_of(gan, drawn, credit).norm() > 0


def test_noise_redrawn_on_each_pass_makes_another_policy() -> None:
    base = tiny.model()
    printed = listing(base)
    ids = printed.padded(tiny.examples(1)[0].prompt)
    assert not torch.allclose(printed.logits(ids), printed.logits(ids), atol=1e-3)
    gan = tiny.gan(base)
    drawn = gan.generate(tiny.examples(6), chance())
    scores = score(base, drawn.trajectories, embed=gan._embed(drawn.noise))
    sampled = torch.tensor([value for one in drawn.trajectories for value in one.logprobs])
    torch.testing.assert_close(scores.logprobs[scores.mask], sampled, atol=1e-4, rtol=1e-4)
    other = score(base, drawn.trajectories, embed=gan._embed(drawn.noise.roll(1, 0)))
    assert not torch.allclose(other.logprobs, scores.logprobs, atol=1e-2)


def test_left_padding_shifts_places_only_in_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    base = tiny.model()
    prompt = tiny.examples(1)[0].prompt[:6]
    monkeypatch.setattr(torch, "randn", lambda *size, **_: torch.zeros(*size))  # the same noise on every pass
    narrow, wide = listing(base), listing(base)
    wide.generator, wide.inputs = narrow.generator, INPUTS + 9
    first, second = (gan.logits(gan.padded(prompt))[0, -1].detach() for gan in (narrow, wide))
    assert not torch.allclose(first, second, atol=1e-2)
    monkeypatch.undo()
    gan = tiny.gan(base, temperature=1e-3)
    short = Example(prompt, (2,), 10)
    long = Example((1, *range(5, 45)), (2,), 10)
    alone = gan._drawn([short.prompt], [10], torch.zeros(1, 100), chance()).trajectories[0]
    beside = gan._drawn([short.prompt, long.prompt], [10, 10], torch.zeros(2, 100), chance()).trajectories[0]
    assert alone.answer == beside.answer


def test_an_early_end_token_breaks_the_listing_and_not_us() -> None:
    base = tiny.model()
    everything = frozenset(range(base.config.vocab_size))
    printed = listing(base)
    printed.ends = everything
    ids = printed.generate(tiny.examples(1)[0].prompt)
    assert ids.shape[1] == INPUTS + 1
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        printed.generator_step(ids)
    gan = tiny.gan(base)
    gan.ends = frozenset(range(40))  # most answers end within a few tokens
    figures: list[dict[str, float]] = []
    gan.train(tiny.examples(6), 1, after=lambda epoch, found: figures.append(found))
    assert figures[0]["ended"] > 0.5 and figures[0]["answer_tokens"] < 6


def test_the_listing_hides_the_modes_of_its_module() -> None:
    base = tiny.model()
    with pytest.raises(TypeError):
        listing(base).eval()
    gan = tiny.gan(base)
    assert not isinstance(gan, torch.nn.Module)
    assert gan.generator.train().training and not gan.generator.eval().training
    assert not gan.model.training


def test_the_base_gets_gradients_only_in_the_listing() -> None:
    base = tiny.model()
    printed = listing(base)
    assert all(weight.requires_grad for weight in base.parameters())
    printed.logits(printed.padded((1, 5))).sum().backward()
    assert base.lm_head.weight.grad is not None
    base.zero_grad(set_to_none=True)
    gan = tiny.gan(base, updates=2)
    before = {name: weights_hash(one) for name, one in parts(gan).items()}
    gan.train(tiny.examples(6), 2)
    after = {name: weights_hash(one) for name, one in parts(gan).items()}
    assert {name for name in before if before[name] != after[name]} == {"generator", "discriminator"}
    assert all(weight.grad is None for weight in base.parameters())


def parts(gan: LanguageGAN) -> dict[str, torch.nn.Module]:
    return {"base": gan.model, "generator": gan.generator, "discriminator": gan.discriminator}


def test_raw_token_ids_hit_the_clamp_and_embeddings_do_not() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 50_257, (1, 150))
    losses = []
    for seed in range(8):
        torch.manual_seed(seed)
        found = ListingDiscriminator(150)(ids).detach()
        losses += [
            float(torch.nn.functional.binary_cross_entropy(found, torch.full((1, 1), one))) for one in (0.0, 1.0)
        ]
    assert max(losses) == 100  # where PyTorch clamps: no gradient comes through
    base = tiny.model()
    gan = tiny.gan(base)
    fake = gan.generate(tiny.examples(6), chance())
    real = [one.answer for one in tiny.examples(6)]
    first = gan.discriminator_step(real, [one.answer for one in fake.trajectories])
    assert 0.3 < first < 1.5


def test_prompt_padding_and_end_token_tell_our_discriminator_nothing() -> None:
    base = tiny.model()
    printed = listing(base)
    answer = torch.randint(4, 60, (1, OUTPUTS), generator=chance())
    seen = [printed.discriminator(torch.cat((printed.padded(p), answer), 1)) for p in ((1, 9), (1, 50, 50))]
    assert not torch.allclose(*seen)
    cut = answer.clone()
    cut[:, -3:] = 0  # a real answer's padding
    whole = printed.padded((1, 9))
    assert not torch.allclose(*(printed.discriminator(torch.cat((whole, one), 1)) for one in (answer, cut)))

    gan = tiny.gan(base)
    drawn = gan.generate(tiny.examples(2), chance()).trajectories
    one = drawn[0].answer
    alone, longer, ended = gan.judged([one]), gan.judged([one, one * 3]), gan.judged([(*one, 2)])
    torch.testing.assert_close(alone[0], longer[0])
    torch.testing.assert_close(alone, ended)


def test_what_the_mask_hides_cannot_leak_even_as_nan() -> None:
    torch.manual_seed(0)
    judge = Discriminator(8)
    embeddings = torch.randn(2, 5, 8)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])
    clean = judge(embeddings, mask)
    embeddings[0, 3:] = float("nan")
    torch.testing.assert_close(judge(embeddings, mask), clean)
    assert bool(((clean > 0) & (clean < 1)).all())


def test_the_discriminator_reads_the_order_of_words() -> None:
    torch.manual_seed(0)
    reader, judge = AnswerReader(torch.nn.Embedding(20, 32), tiny.ENDS), Discriminator(32)
    one, other = judge(*reader([(5, 6, 7, 8), (8, 6, 7, 5)]))
    assert abs(float((one - other).detach())) > 1e-4


def test_saying_nothing_is_no_way_out() -> None:
    gan = tiny.gan(tiny.model())
    assert gan.judged([(2,), (9, 2)]).tolist()[0] < 0.01 < gan.judged([(9, 2)]).item()


def test_the_discriminator_can_learn_that_one_word_is_no_answer() -> None:
    gan = tiny.gan(tiny.model(), discriminator_rate=1e-2)
    real = [one.answer for one in tiny.examples(24)]
    for _ in range(40):
        gan.discriminator_step(real, [one[:1] for one in real])  # drawn: each real answer's beginning
    assert gan.judged([one[:1] for one in real]).mean() < 0.2 < 0.8 < gan.judged(real).mean()
