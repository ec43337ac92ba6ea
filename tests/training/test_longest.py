"""Rows that a base has no places for are left out, whatever `longest` says: they do not end the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2LMHeadModel

from storage.contracts import Turn
from storage.presets import Presets
from tests.training import families
from training import bases, sft
from training.data import sets
from training.data.rows import Answer
from training.gan import fitting
from training.gan.recipe import GanRecipe
from training.recipes import RecipeError

PLACES = 64
SHORT, LONG = "Да, хорошо.", "Очень долгий ответ, который никак не кончается. " * 12
KEYS = {"longest": 400, "rows": 2, "learning_rate": 1e-3, "threads": 1, "measure_rows": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A GPT-2 with few learned positions: the kind that cannot read one token more."""
    folder = tmp_path_factory.mktemp("base") / "gpt2"
    made = families.tokenizer("gpt2")
    shape = families.config("gpt2", made)
    shape.n_positions = PLACES
    GPT2LMHeadModel(shape).save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)


def prepared(folder: Path, *answers: str) -> str:
    rows = [
        Answer(prompt=(Turn(role="user", text=f"Как дела, {n}?"),), answer=text) for text in answers for n in range(4)
    ]
    sets.write(folder, rows, rows[:1] + rows[-1:], {})
    return str(folder)


def encoded(run: Path) -> Mapping[str, Any]:
    told: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return {"longest": told["longest"], **{name: told["encoded"][name] for name in ("kept", "too_long")}}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_supervised_tuning_leaves_them_out(base: str, tmp_path: Path, presets: Presets, attention: str) -> None:
    data = prepared(tmp_path / "set", SHORT, LONG)
    given = {"name": "cut", "base": base, "data": data, "steps": 1, "attention": attention, **KEYS}
    folder = sft.main(sft.SftRecipe.model_validate(given), tmp_path, presets)
    assert (folder / "adapter_model.safetensors").is_file()
    assert encoded(tmp_path / "runs" / "sft-cut") == {"longest": PLACES, "kept": 4, "too_long": 4}


def test_adversarial_tuning_leaves_them_out(base: str, tmp_path: Path, presets: Presets) -> None:
    given = {"name": "cut", "base": base, "data": prepared(tmp_path / "set", SHORT, LONG), "epochs": 1, "threads": 1}
    recipe = GanRecipe.model_validate({**given, "longest": 400, "measure_rows": 2})
    fitting.main(recipe, tmp_path, presets)
    assert encoded(tmp_path / "runs" / "gan-cut") == {"longest": PLACES, "kept": 4, "too_long": 4}


def test_where_none_is_left_it_is_told(base: str, tmp_path: Path, presets: Presets) -> None:
    given = {"name": "cut", "base": base, "data": prepared(tmp_path / "set", LONG), "steps": 1, **KEYS}
    with pytest.raises(RecipeError, match="no row is left after cutting by length"):
        sft.main(sft.SftRecipe.model_validate(given), tmp_path, presets)


def test_a_longest_that_the_base_has_room_for_stays(base: str) -> None:
    assert bases.room(base, None, 40) == 40
    assert bases.room(base, None, 4000) == PLACES
