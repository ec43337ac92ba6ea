"""A base is what its manifest says, and a hub that is away is told of at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from tests.training import families
from training import bases
from training.recipes import RecipeError
from training.runs import hash_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    bases.commit.cache_clear()
    yield
    bases.commit.cache_clear()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A hub at a port where nobody listens, and an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_hub_that_does_not_answer_is_told_within_seconds(no_hub: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(bases.BaseMissing, match="could not be fetched from the hub: check the name and the network"):
        bases.load_tokenizer("somebody/something")
    assert time.monotonic() - begun < 8


def test_what_lies_in_the_cache_is_taken_with_its_commit(no_hub: Path) -> None:
    snapshot = no_hub / "models--somebody--something" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    refs = no_hub / "models--somebody--something" / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT, encoding="utf-8")
    assert bases.provenance("somebody/something") == {"name": "somebody/something", "revision": COMMIT}


def test_a_branch_is_written_down_as_its_commit(monkeypatch: pytest.MonkeyPatch, no_hub: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    def info(self: object, name: str, *, revision: str | None, timeout: float) -> SimpleNamespace:
        asked.append((name, revision))
        return SimpleNamespace(sha=COMMIT)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", info)
    assert bases.provenance("somebody/something", "main")["revision"] == COMMIT
    assert asked == [("somebody/something", "main")]


def test_a_folder_is_written_down_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert bases.provenance(tmp_path) == {"name": str(tmp_path), "revision": hash_folder(tmp_path)}


@pytest.mark.parametrize("kind", ["gpt2", "llama3"])
def test_targets_that_the_base_has_not_are_named_with_those_it_has(kind: str) -> None:
    make: Any = AutoModelForCausalLM.from_config
    model = make(families.config(kind, families.tokenizer(kind)))
    there = {"gpt2": "c_attn", "llama3": "q_proj"}[kind]
    assert bases.Lora(targets=(there,)).config(model).r == 16
    with pytest.raises(RecipeError, match=rf"no linear layer called query, k_prog; it has .*{there}.*all-linear"):
        bases.Lora(targets=("query", there, "k_prog")).config(model)
