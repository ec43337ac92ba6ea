"""The shipped configurations of `accelerate launch`: half precision and models in shards, in two processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from storage.presets import Presets
from tests.training import families, recipe_data
from training import cli, sft, tuning
from training.data.seed_corpus import SeedRow

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(tuning.__file__).parent / "accelerate"
KINDS = {
    "processes": "MULTI_GPU",
    "fsdp": "FSDP",
    "deepspeed_zero2": "DEEPSPEED",
    "deepspeed_zero3": "DEEPSPEED",
}


def header(path: Path) -> list[str]:
    """The words after `accelerate launch` in a file's head, FILE replaced by a shipped recipe."""
    line = next(one for one in path.read_text(encoding="utf-8").splitlines() if one.startswith("# launch: "))
    program, verb, *rest = shlex.split(line.removeprefix("# launch: "))
    assert (program, verb) == ("accelerate", "launch")
    return [one.replace("FILE", "training/recipes/sft_emotion_starter.yaml") for one in rest]


def test_every_configuration_is_known() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_takes_the_configuration_and_its_command(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    config = load_config_from_file(str(path))
    assert isinstance(config, ClusterConfig)
    assert str(config.distributed_type).removeprefix("DistributedType.") == KINDS[name]
    given = launch_command_parser().parse_args(header(path))
    assert Path(given.config_file).resolve() == path.resolve()
    assert given.module and given.training_script == "training.cli"
    found = launch(given)
    assert found.num_processes > 1
    assert (found.use_fsdp, found.use_deepspeed) == (KINDS[name] == "FSDP", KINDS[name] == "DEEPSPEED")
    group, method, *rest = given.training_script_args
    assert group in cli.COMMANDS and method in cli.METHODS
    assert rest[0] == "--recipe" and Path(rest[1]).is_file()


def launch(given: Any) -> Any:
    """What accelerate makes of its arguments and the file together."""
    found, _, _ = _validate_launch_command(given)
    return found


def test_shards_are_whole_where_a_model_is_written() -> None:
    fsdp = load_config_from_file(str(FOLDER / "fsdp.yaml"))
    zero = load_config_from_file(str(FOLDER / "deepspeed_zero3.yaml"))
    assert fsdp.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"
    assert zero.deepspeed_config["zero3_save_16bit_model"] is True


@pytest.fixture(scope="module")
def instructions(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow]) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    return recipe_data.instructions(folder, [row for row in seed_rows if len(row.reply) < 200][:120])


def tiny(folder: Path, file: Path, **keys: Any) -> dict[str, Any]:
    return {
        "name": "several",
        "base": str(families.save("llama3", folder / "base")),
        "data": {"sources": {"rows": {"path": str(file)}}},
        "longest": 400,
        "steps": 4,
        "learning_rate": 3e-3,
        "log_steps": 1,
        "measure_rows": 4,
        **keys,
    }


def launched(folder: Path, recipe: dict[str, Any], configuration: str, *program: str) -> Path:
    """The run of a recipe under `accelerate launch` with two processes."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    file = str(FOLDER / f"{configuration}.yaml")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", file, *program]
    environment = {**os.environ, "STORAGE_DIR": str(folder), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, "train", "sft", "--recipe", str(path)], env=environment, check=True, timeout=240)
    return folder / "runs" / f"sft-{recipe['name']}"


def losses(run: Path, name: str = "loss") -> list[float]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line[name] for line in lines if name in line]


@pytest.mark.slow
def test_two_processes_tune_all_weights_in_half_precision(tmp_path: Path, instructions: Path) -> None:
    recipe = tiny(tmp_path, instructions, lora=None, rows=2, precision="bfloat16")
    run = launched(tmp_path, recipe, "processes", "-m", "training.cli")
    before, after = losses(run, "eval_loss")
    assert after < before - 0.05
    assert AutoModelForCausalLM.from_pretrained(run / "model").config.model_type == "llama"


# accelerate shards on accelerators only; told that these CPUs are some, it shards on them, over gloo.
ON_CPU = """
import sys
from accelerate.state import PartialState
from accelerate.utils import DistributedType

begin = PartialState.__init__


def told(self, *given, **keys):
    begin(self, *given, **keys)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_NEURON


PartialState.__init__ = told

if __name__ == "__main__":
    from training.cli import main

    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, {"rank": 4}], ids=["all weights", "adapter"])
def test_a_model_in_shards_is_tuned_as_a_whole_one(
    lora: dict[str, int] | None, tmp_path: Path, instructions: Path, presets: Presets
) -> None:
    recipe = tiny(tmp_path, instructions, lora=lora, rows=2)
    whole = sft.main(sft.SftRecipe.model_validate({**recipe, "name": "whole", "rows": 4}), tmp_path, presets)
    program = tmp_path / "on_cpu.py"
    program.write_text(ON_CPU, encoding="utf-8")
    run = launched(tmp_path, recipe, "fsdp", "--mixed_precision", "no", str(program))
    assert losses(run) == pytest.approx(losses(tmp_path / "runs" / "sft-whole"), rel=1e-3)
    kind = "adapter_model" if lora else "model"
    weights = load_file(run / kind.removesuffix("_model") / f"{kind}.safetensors")
    expected = load_file(whole / f"{kind}.safetensors")
    assert set(weights) == set(expected)
    for name, weight in expected.items():
        torch.testing.assert_close(weights[name], weight, rtol=0.05, atol=2e-3)
