"""Rollouts on tiny models of every family: what is drawn is what is scored, whoever shares the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from tests.models import tiny
from training.logprobs import token_logprobs
from training.rollouts import Trajectory, draw, generate, score

ENDS = frozenset({2})
PROMPTS = [[1, 9, 14, 30], [1, 22, 8, 8, 17, 40, 33, 12, 10], [1, 50]]


def make(family: str) -> Any:
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_config(tiny.config(family), dtype=torch.float32)
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.data.mul_(3)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    yield make(request.param)


@pytest.fixture(scope="module")
def gpt2() -> Any:
    return make("gpt2")


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_scored_policy_is_the_sampled_one(model: Any) -> None:
    found = generate(model, PROMPTS, [20] * 3, ENDS, generator=seeded(), batch=2)
    scores = score(model, found)
    for row, one in enumerate(found):
        count = len(one.answer)
        assert scores.mask[row].tolist() == [True] * count + [False] * (scores.mask.shape[1] - count)
        torch.testing.assert_close(scores.logprobs[row, :count], torch.tensor(one.logprobs), atol=1e-4, rtol=1e-4)


def test_company_changes_nothing(model: Any) -> None:
    together = generate(model, PROMPTS, [12] * 3, ENDS, temperature=0)
    alone = [generate(model, [prompt], [12], ENDS, temperature=0)[0] for prompt in PROMPTS]
    assert [one.answer for one in together] == [one.answer for one in alone]
    whole, parts = score(model, together), [score(model, [one]) for one in together]
    for row, part in enumerate(parts):
        count = len(together[row].answer)
        torch.testing.assert_close(whole.logprobs[row, :count], part.logprobs[0], atol=1e-4, rtol=1e-4)


def test_the_batch_does_not_change_what_is_drawn(gpt2: Any) -> None:
    few = generate(gpt2, PROMPTS * 3, [9, 3, 14] * 3, ENDS, generator=seeded(), batch=2)
    all_at_once = generate(gpt2, PROMPTS * 3, [9, 3, 14] * 3, ENDS, generator=seeded(), batch=9)
    assert [one.answer for one in few] == [one.answer for one in all_at_once]
    assert len({one.answer for one in few}) > 3  # repeated prompts get draws of their own


def test_rows_stop_at_their_end_token_or_budget(gpt2: Any) -> None:
    found = generate(gpt2, PROMPTS * 30, [15] * 90, frozenset({2, 11, 12, 13}), generator=seeded())
    ended = [one for one in found if one.ended]
    assert ended and len(ended) < len(found)
    for one in found:
        inner = set(one.answer[:-1]) if one.ended else set(one.answer)
        assert not inner & {2, 11, 12, 13}
        assert one.ended == (one.answer[-1] in {2, 11, 12, 13})
        assert one.ended or len(one.answer) == 15


def test_scores_equal_the_library_on_each_row(model: Any) -> None:
    one = Trajectory((1, 9, 14, 30), (20, 21, 2), True)
    other = Trajectory((1, 7), (33, 9, 9, 9, 2), True)
    scores = score(model, [one, other], temperature=0.7)
    for row, trajectory in enumerate((one, other)):
        ids = torch.tensor([trajectory.prompt + trajectory.answer])
        logits = model(input_ids=ids).logits[0] / 0.7
        begin = len(trajectory.prompt)
        wanted = logits.log_softmax(-1)[begin - 1 : -1].gather(1, ids[0, begin:, None])[:, 0]
        torch.testing.assert_close(scores.logprobs[row, : len(wanted)], wanted, atol=1e-4, rtol=1e-4)


def test_an_embed_hook_shapes_both_passes(gpt2: Any) -> None:
    shift = torch.randn(len(PROMPTS), gpt2.config.n_embd, generator=seeded())

    def embed(tokens: Tensor, rows: Tensor) -> Tensor:
        return gpt2.get_input_embeddings()(tokens) + shift[rows]  # type: ignore[no-any-return]

    plain = generate(gpt2, PROMPTS, [10] * 3, ENDS, generator=seeded())
    found = generate(gpt2, PROMPTS, [10] * 3, ENDS, embed=embed, generator=seeded(), batch=2)
    assert [one.answer for one in found] != [one.answer for one in plain]
    scores = score(gpt2, found, embed=embed)
    drawn = [value for one in found for value in one.logprobs]
    torch.testing.assert_close(scores.logprobs[scores.mask], torch.tensor(drawn), atol=1e-4, rtol=1e-4)


def test_values_come_from_the_same_pass(gpt2: Any) -> None:
    found = generate(gpt2, PROMPTS, [6] * 3, ENDS, generator=seeded())
    scores = score(gpt2, found, value=lambda hidden: hidden.sum(-1) * 0 + 3)
    assert scores.values is not None
    assert torch.equal(scores.values, scores.mask.float() * 3)


def test_frequencies_follow_the_distribution() -> None:
    logits = torch.tensor([[2.0, 0.0, -1e9, 1.0]]).expand(40_000, -1)
    tokens, logprobs = draw(logits, torch.rand(40_000, generator=seeded()), temperature=2.0)
    wanted = (logits[0] / 2).softmax(-1)
    torch.testing.assert_close(tokens.bincount(minlength=4) / 40_000, wanted, atol=0.01, rtol=0)
    torch.testing.assert_close(logprobs, wanted.log()[tokens])


@pytest.mark.parametrize("bias", [False, True])
def test_chunked_log_probabilities_and_their_gradient(bias: bool) -> None:
    torch.manual_seed(0)
    head = torch.nn.Linear(12, 31, bias=bias).requires_grad_(False)
    hidden = torch.randn(150, 12, requires_grad=True)
    tokens, weights = torch.randint(31, (150,)), torch.randn(150)
    (token_logprobs(head, hidden, tokens, 0.8) * weights).sum().backward()
    found, hidden.grad = hidden.grad, None
    plain = (head(hidden) / 0.8).log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    torch.testing.assert_close(token_logprobs(head, hidden, tokens, 0.8), plain)
    (plain * weights).sum().backward()
    torch.testing.assert_close(found, hidden.grad)


def test_a_trained_output_layer_gets_its_gradient() -> None:
    head = torch.nn.Linear(4, 7)
    token_logprobs(head, torch.randn(3, 4), torch.tensor([0, 5, 6])).sum().backward()
    assert head.weight.grad is not None and float(head.weight.grad.abs().sum()) > 0
