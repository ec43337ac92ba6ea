"""Two models of one shape as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.models.tiny import save_model
from training.blend import blend
from training.recipes import RecipeError


def weights(folder: Path) -> dict[str, torch.Tensor]:
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return {name: weight.detach() for name, weight in model.named_parameters()}


def test_weights_stand_on_the_line_between(tmp_path: Path) -> None:
    old = save_model("llama", tmp_path / "old")
    tuned: Any = AutoModelForCausalLM.from_pretrained(old, dtype=torch.float32)
    with torch.no_grad():
        for weight in tuned.parameters():
            weight.add_(torch.randn_like(weight))
    tuned.save_pretrained(tmp_path / "new")
    AutoTokenizer.from_pretrained(old).save_pretrained(tmp_path / "new")
    blend(tmp_path / "new", old, 0.75, tmp_path / "between")
    ends, found = (weights(tmp_path / "new"), weights(old)), weights(tmp_path / "between")
    for name, weight in found.items():
        torch.testing.assert_close(weight, 0.75 * ends[0][name] + 0.25 * ends[1][name], rtol=1e-2, atol=1e-2)
    assert AutoTokenizer.from_pretrained(tmp_path / "between")("Привет")["input_ids"]


def test_models_that_do_not_fit_are_told(tmp_path: Path) -> None:
    one, other = save_model("llama", tmp_path / "one"), save_model("gpt2", tmp_path / "other")
    with pytest.raises(RecipeError, match="not of one shape"):
        blend(one, other, 0.5, tmp_path / "out")
    with pytest.raises(RecipeError, match="is not between 0 and 1"):
        blend(one, one, 1.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()
