"""Which number type runs are computed in: on a CPU, on a new GPU, and on the older ones of free services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.devices import pick_dtype
from storage.presets import Presets
from tests.training import families
from training import bases, sft, tuning
from training.recipes import RecipeError
from training.runs import Run


def recipe(**keys: Any) -> sft.SftRecipe:
    return sft.SftRecipe.model_validate({"name": "tiny", "base": "base", "data": "data", "steps": 1, **keys})


def gpu(monkeypatch: pytest.MonkeyPatch, bfloat16: bool) -> None:
    """A machine with a GPU that computes in bfloat16, or one that only emulates it as a T4 does."""

    def supported(including_emulation: bool = True) -> bool:
        return bfloat16 or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)


@pytest.mark.parametrize(
    ("precision", "bfloat16", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float16),
        ("float32", True, torch.float32),
        ("float16", True, torch.float16),
        ("bfloat16", False, torch.bfloat16),
    ],
)
def test_a_gpu_computes_in_what_it_can(
    precision: str, bfloat16: bool, expected: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu(monkeypatch, bfloat16)
    given = recipe(precision=precision)
    found = tuning.arguments(given, Run(tmp_path, "sft", given))
    assert (found["bf16"], found["fp16"]) == (expected is torch.bfloat16, expected is torch.float16)
    assert pick_dtype(precision, torch.device("cuda")) is expected


def test_a_cpu_computes_in_float32(tmp_path: Path) -> None:
    given = recipe()
    found = tuning.arguments(given, Run(tmp_path, "sft", given))
    assert not found["bf16"] and not found["fp16"]
    assert pick_dtype("auto", torch.device("cpu")) is torch.float32


def test_float16_without_a_gpu_is_refused_with_advice(tmp_path: Path) -> None:
    given = recipe(precision="float16")
    with pytest.raises(RecipeError, match="take bfloat16, float32 or auto"):
        tuning.arguments(given, Run(tmp_path, "sft", given))


def test_with_float16_an_adapter_on_four_bits_is_tuned_in_float32(tmp_path: Path, presets: Presets) -> None:
    """TRL leaves it in bfloat16, whose gradients a loss scaler refuses."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    base = families.save("llama3", tmp_path / "base")
    model = bases.load_model(str(base), quantization="nf4")
    given = recipe(quantization="nf4")
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(**tuning.arguments(given, Run(tmp_path, "sft", given))),
        train_dataset=Dataset.from_dict({"input_ids": [[5, 6, 7]], "labels": [[5, 6, 7]]}),
        processing_class=bases.load_tokenizer(str(base)),
        peft_config=bases.Lora().config(model),
    )
    frozen = {name: weight.dtype for name, weight in trainer.model.named_parameters() if not weight.requires_grad}
    bases.tuned_in_float32(trainer.model)
    for name, weight in trainer.model.named_parameters():
        assert weight.dtype is (torch.float32 if weight.requires_grad else frozen[name])
