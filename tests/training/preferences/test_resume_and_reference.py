"""A killed run goes on to the same adapter; what the tuned model is held against stays as it was."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from storage.presets import Presets
from tests.training.preferences.conftest import held_out, losses, recipe, tensors, train
from training import dpo, preferences, tuning
from training.data import sets
from training.data.rows import Pair
from training.recipes import RecipeError
from training.runs import Run
from training.tokens import Encoder, table

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("dpo", {"reference": "start"}),
        pytest.param("dpo", {"reference": "base"}, marks=pytest.mark.slow),
        pytest.param("simpo", {}, marks=pytest.mark.slow),
        ("kto", {"reference": "start"}),
        ("reward", {}),
    ],
)
def test_a_killed_run_resumes_to_the_same_adapter(
    tiny: Path, pair_set: Path, presets: Presets, tmp_path: Path, method: str, keys: dict[str, Any]
) -> None:
    given = recipe(
        method,
        pair_set,
        base=str(tiny / "base"),
        adapter=tiny / "adapter",
        steps=5,
        save_steps=3,
        measure_rows=4,
        **keys,
    )
    whole = train(given, method, tmp_path / "whole", presets)
    # What a kill after the third step leaves: no adapter, no later checkpoint, no later line.
    left = tmp_path / "killed" / "runs" / f"{method}-small"
    shutil.copytree(tmp_path / "whole" / "runs" / f"{method}-small", left)
    shutil.rmtree(left / "adapter")
    shutil.rmtree(left / "checkpoints" / "checkpoint-5")
    lines = (left / "metrics.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line).get("step", 0) <= 3]
    (left / "metrics.jsonl").write_text("\n".join(kept) + "\n")
    resumed = train(given, method, tmp_path / "killed", presets, resume=True)
    one, other = tensors(whole), tensors(resumed)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert losses(left) == losses(tmp_path / "whole" / "runs" / f"{method}-small")


def test_training_changes_the_adapter_and_not_the_reference(
    tiny: Path, pair_set: Path, presets: Presets, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer
    from trl import DPOConfig

    made = recipe("dpo", pair_set, base=str(tiny / "base"), adapter=tiny / "adapter", steps=2, weight_decay=0.1)
    tokenizer = AutoTokenizer.from_pretrained(tiny / "base")
    rows = table(tmp_path / "a.arrow", Encoder(tokenizer, presets, 96).pairs(sets.load(pair_set).train(Pair)))
    run = Run(tmp_path, "dpo", made)
    config = DPOConfig(**tuning.arguments(made, run), max_length=None)
    trainer = dpo.build(made, config, rows, None, tokenizer)
    before = {name: weight.detach().clone() for name, weight in trainer.model.named_parameters()}
    changed: set[str] = set()

    def export(folder: Path) -> None:
        weights = dict(trainer.model.named_parameters())
        assert weights.keys() == before.keys()
        changed.update(name for name, weight in weights.items() if not torch.equal(weight, before[name]))
        preferences.export(trainer, made, tokenizer, folder)

    folder = tuning.fit(trainer, run, made, False, export)
    assert changed and all(".default." in name for name in changed)
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}


def test_start_begins_at_no_preference_and_base_does_not(
    tiny: Path, pair_set: Path, presets: Presets, tmp_path: Path
) -> None:
    begun = {}
    for reference in ("start", "base"):
        keys = {"base": str(tiny / "base"), "adapter": tiny / "adapter", "reference": reference, "steps": 1}
        train(recipe("dpo", pair_set, **keys, name=reference), "dpo", tmp_path, presets)
        begun[reference] = held_out(tmp_path / "runs" / f"dpo-{reference}")
    assert begun["start"]["loss"][0] == pytest.approx(0.6931, abs=1e-4)
    # Held against itself no answer is preferred; held against the base some are, whichever pairs are held out.
    assert begun["start"]["rewards/accuracies"][0] == 0
    assert begun["base"]["rewards/accuracies"][0] > 0


@pytest.mark.parametrize("method", ["dpo", "reward"])
def test_an_adapter_that_is_none_or_of_another_base_is_named(
    tiny: Path, pair_set: Path, presets: Presets, tmp_path: Path, method: str
) -> None:
    with pytest.raises(RecipeError, match="holds no adapter"):
        train(recipe(method, pair_set, base=str(tiny / "base"), adapter=tmp_path), method, tmp_path / "a", presets)
    other = Path("models/starter/adapter").resolve()
    with pytest.raises(RecipeError, match="does not fit"):
        train(recipe(method, pair_set, base=str(tiny / "base"), adapter=other), method, tmp_path / "b", presets)


def test_all_weights_can_be_tuned_against_a_second_model(
    tiny: Path, pair_set: Path, presets: Presets, tmp_path: Path
) -> None:
    given = recipe("dpo", pair_set, base=str(tiny / "base"), lora=None, steps=2)
    folder = train(given, "dpo", tmp_path, presets)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_twice_the_pairs(
    tiny: Path, pair_set: Path, presets: Presets, tmp_path: Path
) -> None:
    keys = {"base": str(tiny / "base"), "adapter": tiny / "adapter", "steps": 4, "measure_rows": 4}
    # Plain gradient descent: Adam would make a step of rounding errors where a gradient is almost zero.
    keys |= {"optimizer": "sgd", "learning_rate": 0.5}
    one = train(recipe("dpo", pair_set, name="one", rows=8, **keys), "dpo", tmp_path, presets)
    given = recipe("dpo", pair_set, name="two", rows=4, **keys).model_dump(mode="json", exclude_unset=True)
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    several = Path(tuning.__file__).parent / "accelerate" / "processes.yaml"
    command = ["-m", "accelerate.commands.launch", "--config_file", str(several), "-m", "training.cli", "train", "dpo"]
    subprocess.run(
        [sys.executable, *command, "--recipe", str(tmp_path / "two.yaml")],
        env={**os.environ, "STORAGE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=240,
    )
    whole, halves = (losses(tmp_path / "runs" / f"dpo-{name}") for name in ("one", "two"))
    assert halves == pytest.approx(whole, rel=1e-4) and whole[-1] != whole[0]
    begun, other = tensors(tiny / "adapter"), tensors(tmp_path / "runs" / "dpo-two" / "adapter")
    for name, weight in tensors(one).items():
        # Rounding makes under 0.1 % of the way that weights went; a wrong mean or other rows make tens of percent.
        assert (weight - other[name]).norm() < 2e-3 * (weight - begun[name]).norm(), name
