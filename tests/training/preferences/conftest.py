"""A small prepared set of real preference pairs, and recipes on the starter's weights that take seconds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from storage.presets import Presets
from training import dpo, kto, reward, simpo
from training.data import seed_corpus, seed_pairs, sets
from training.data.rows import Pair
from training.data.seed_corpus import SeedRow
from training.preferences import PreferenceRecipe

BASE = Path("models/starter/base").resolve()
ADAPTER = Path("models/starter/adapter").resolve()
RECIPES: dict[str, type[PreferenceRecipe]] = {
    "dpo": dpo.DpoRecipe,
    "simpo": simpo.SimpoRecipe,
    "kto": kto.KtoRecipe,
    "reward": reward.RewardRecipe,
}
MODULES: dict[str, Any] = {"dpo": dpo, "simpo": simpo, "kto": kto, "reward": reward}


@pytest.fixture(scope="session")
def pair_set(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow], presets: Presets) -> Path:
    """The shortest of real pairs, so that a step takes a fraction of a second; held-out messages are others."""
    train, held = seed_corpus.split(seed_rows)
    folder = tmp_path_factory.mktemp("pairs") / "set"
    learned, asked = (
        list(islice(brief(seed_pairs.pairs(rows, presets)), most)) for rows, most in ((train, 640), (held, 96))
    )
    return sets.write(folder, learned, asked, {"sources": "seed pairs"}).folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`base` with the starter's tokenizer and random weights, and `adapter`, a LoRA on it that changes what it says."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(1)
    model = LlamaForCausalLM(LlamaConfig(**shape, vocab_size=len(tokenizer), max_position_embeddings=128))
    model.save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    model = LlamaForCausalLM.from_pretrained(folder / "base")
    tuned = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.5)
    tuned.save_pretrained(str(folder / "adapter"))
    return folder


def brief(pairs: Iterable[Pair]) -> Iterable[Pair]:
    return (pair for pair in pairs if len(pair.chosen) + len(pair.rejected) + len(pair.prompt[-1].text) < 110)


def recipe(method: str, data: Path, **keys: Any) -> Any:
    """A run of seconds; `keys` lie over it."""
    given: dict[str, Any] = {
        "name": "small",
        "threads": 1,
        "base": str(BASE),
        "data": data,
        "steps": 8,
        "rows": 4,
        "longest": 96,
        "learning_rate": 3e-4,
        "schedule": "constant",
        "warmup": 0.0,
        "log_steps": 1,
        "measure_rows": 16,
        **({"pairs": True} if method == "kto" else {}),
        **keys,
    }
    return RECIPES[method].model_validate(given)


def train(given: Any, method: str, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Run a method; the adapter's folder."""
    folder: Path = MODULES[method].main(given, storage, presets, resume)
    return folder


def held_out(run: Path) -> dict[str, tuple[float, float]]:
    """Figure → (before, after) from a run's report."""
    rows = re.findall(r"^\| (\S+) \| (-?[\d.]+) \| (-?[\d.]+) \|$", (run / "report.md").read_text(), re.MULTILINE)
    return {name: (float(before), float(after)) for name, before, after in rows}


def losses(run: Path) -> list[float]:
    """The training losses by step."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """An adapter's weights."""
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")
