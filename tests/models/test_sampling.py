"""Draws follow the same distribution as the library's own warpers, and depend on the row's number alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from models.engines.sampling import Draws, draw, recommended, uniforms
from storage.contracts import Sampling

CPU = torch.device("cpu")
CASES = [
    Sampling(temperature=0.7, top_p=0.9, top_k=0, repetition_penalty=1.0),
    Sampling(temperature=1.0, top_p=1.0, top_k=5, repetition_penalty=1.0),
    Sampling(temperature=1.3, top_p=0.8, top_k=40, repetition_penalty=1.2),
    Sampling(temperature=2.0, top_p=0.99, top_k=0, repetition_penalty=1.0),
]


def warped(logits: torch.Tensor, seen: list[int], sampling: Sampling) -> torch.Tensor:
    """Probabilities after the library's processors."""
    chain: Any = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)])
    chain.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        chain.append(TopKLogitsWarper(sampling.top_k))
    chain.append(TopPLogitsWarper(sampling.top_p))
    return torch.softmax(chain(torch.tensor([seen]), logits[None].clone()), -1)[0]


@pytest.mark.parametrize("sampling", CASES)
@pytest.mark.parametrize("vocabulary", [50, 1000])
def test_same_distribution_as_the_library(sampling: Sampling, vocabulary: int) -> None:
    torch.manual_seed(1)
    logits = torch.randn(vocabulary) * 2
    seen = [1, 3, 8]
    expected = warped(logits, seen, sampling)
    count = 2000
    mask = torch.zeros(1, vocabulary, dtype=torch.bool)
    mask[0, seen] = True
    grid = (torch.arange(count) + 0.5) / count
    drawn = draw(logits.expand(count, -1), mask.expand(count, -1), grid, Draws.of([sampling] * count, CPU))
    found = torch.bincount(drawn, minlength=vocabulary) / count
    assert (found - expected).abs().max() < 2 / count
    assert not (found[expected == 0] > 0).any()


def test_rows_of_different_parameters_do_not_touch_each_other() -> None:
    torch.manual_seed(2)
    logits = torch.randn(len(CASES) + 1, 600)
    rows = [*CASES, Sampling(temperature=0, repetition_penalty=1.0)]
    uniform = torch.rand(len(rows))
    seen = torch.zeros(logits.shape, dtype=torch.bool)
    together = draw(logits, seen, uniform, Draws.of(rows, CPU))
    for index, sampling in enumerate(rows):
        part = slice(index, index + 1)
        assert draw(logits[part], seen[part], uniform[part], Draws.of([sampling], CPU)) == together[index]
    assert together[-1] == logits[-1].argmax()


@pytest.mark.parametrize("uniform", [0.0, 0.5, 0.9999999])
def test_a_drawn_token_is_never_outside_the_nucleus(uniform: float) -> None:
    logits = torch.tensor([[3.0, 2.0, -20.0, -30.0]])
    sampling = Sampling(temperature=1.0, top_p=0.9, repetition_penalty=1.0)
    assert int(draw(logits, None, torch.tensor([uniform]), Draws.of([sampling], CPU))) in (0, 1)


def test_random_numbers_come_from_the_seed_alone() -> None:
    torch.manual_seed(5)
    first = uniforms(7, 10)
    torch.manual_seed(6)
    assert uniforms(7, 20)[:10] == first
    assert uniforms(8, 10) != first


def test_the_base_models_own_sampling_is_taken_where_it_asks_for_sampling() -> None:
    asked = recommended(GenerationConfig(do_sample=True, temperature=0.4, repetition_penalty=1.0))
    assert (asked.temperature, asked.repetition_penalty, asked.top_p) == (0.4, 1.0, Sampling().top_p)
    assert recommended(GenerationConfig(temperature=0.4)) == recommended(None) == Sampling()
