"""The cache's memory: within its budget whatever came before, and nothing of the running rows lost on the way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from models.engines.slots import SlotCache

HEADS, SIZE = 2, 4


def prompt(length: int, value: float) -> Any:
    """One layer's captured keys and values of a prompt."""
    filled = torch.full((1, HEADS, length, SIZE), value)
    return SimpleNamespace(layers=[SimpleNamespace(keys=filled, values=-filled)])


def made(budget: int) -> SlotCache:
    return SlotCache(1, torch.device("cpu"), budget)


def decode(cache: SlotCache, value: float) -> torch.Tensor:
    cache.advance()
    fresh = torch.full((cache.count, HEADS, 1, SIZE), value)
    return cache.write(0, fresh, -fresh)[0]


def test_slots_of_rows_that_left_are_given_up_when_a_long_row_would_widen_them() -> None:
    cache = made(1024)
    for number in range(8):
        cache.store(prompt(60, number + 1.0), 0, 60, 1)
    assert cache.size <= 1024
    for _ in range(7):
        cache.drop(0)
    assert cache.lengths == [60]
    kept = float(cache.keys[0][0, 0, 0, 0])
    for _ in range(600):
        keys = decode(cache, 9.0)
        assert cache.size <= 1024
    assert keys.shape == (1, HEADS, 660, SIZE)
    assert bool((keys[:, :, :60] == kept).all()) and bool((keys[:, :, 60:] == 9.0).all())


def test_what_exceeds_the_budget_is_freed_when_the_last_row_leaves() -> None:
    cache = made(256)
    cache.store(prompt(500, 1.0), 0, 500, 2)
    assert cache.size >= 1000
    cache.drop(1)
    cache.drop(0)
    assert cache.size == 0
    small = made(256)
    small.store(prompt(50, 1.0), 0, 50, 2)
    small.drop(1)
    small.drop(0)
    assert 0 < small.size <= 256
