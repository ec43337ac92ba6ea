"""Which systems meet on which prompts."""

from __future__ import annotations

import pytest

from tests.training.evaluation.judging.local_server import sample
from training.evaluation.judging.matches import Pairing, by_system, pairings, with_references
from training.evaluation.samples import Sample
from training.recipes import RecipeError


def three() -> dict[str, list[Sample]]:
    return by_system(sample(name, key, f"{name}{key}", reference="эталон") for name in "abc" for key in range(4))


def names(found: list[Pairing]) -> list[tuple[str, str]]:
    return [(pairs[0][0].system, pairs[0][1].system) for pairs in found]


def test_all_meet_the_first_or_the_named_or_each_other() -> None:
    assert names(pairings(three())) == [("b", "a"), ("c", "a")]
    assert names(pairings(three(), "b")) == [("a", "b"), ("c", "b")]
    assert names(pairings(three(), every=True)) == [("b", "a"), ("c", "a"), ("c", "b")]


def test_references_are_a_system_of_their_own() -> None:
    found = pairings(with_references(three()), "reference")
    assert names(found) == [("a", "reference"), ("b", "reference"), ("c", "reference")]
    assert found[0][0][1].answer == "эталон"


def test_a_limit_counts_prompts_and_keeps_their_order() -> None:
    samples = [sample(name, key, "ответ", seed=seed) for name in "ab" for key in (3, 1, 2) for seed in (0, 1)]
    found = pairings(by_system(samples), limit=2)[0]
    assert [(one.key, one.seed) for one, _ in found] == [("3", 0), ("3", 1), ("1", 0), ("1", 1)]


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(RecipeError, match="two systems"):
        pairings(by_system([sample("a", 1, "x")]))
    with pytest.raises(RecipeError, match="no system 'z'"):
        pairings(three(), "z")
    with pytest.raises(RecipeError, match="share no prompt"):
        pairings(by_system([sample("a", 1, "x"), sample("b", 2, "y")]))
    with pytest.raises(RecipeError, match="twice"):
        by_system([sample("a", 1, "x"), sample("a", 1, "y")])
    with pytest.raises(RecipeError, match="no sample has a reference"):
        with_references(by_system([sample("a", 1, "x")]))
    other = sample("b", 1, "y")
    other = other.model_copy(update={"prompt": (other.prompt[0].model_copy(update={"text": "Другое"}),)})
    with pytest.raises(RecipeError, match="not the same text"):
        pairings(by_system([sample("a", 1, "x"), other]))
