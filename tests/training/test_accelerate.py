"""The shipped configurations of `accelerate launch`, and half precision in two processes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from transformers import AutoModelForCausalLM

from tests.training import families, recipe_data
from training import cli, tuning
from training.data.seed_corpus import SeedRow

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


@pytest.mark.slow
def test_two_processes_tune_all_weights_in_half_precision(tmp_path: Path, seed_rows: list[SeedRow]) -> None:
    rows = recipe_data.instructions(tmp_path, [row for row in seed_rows if len(row.reply) < 200][:120])
    recipe: dict[str, Any] = {
        "name": "half",
        "base": str(families.save("llama3", tmp_path / "base")),
        "precision": "bfloat16",
        "lora": None,
        "data": {"sources": {"rows": {"path": str(rows)}}},
        "longest": 400,
        "rows": 2,
        "steps": 4,
        "learning_rate": 3e-3,
        "log_steps": 1,
        "measure_rows": 4,
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(FOLDER / "processes.yaml")]
    command += ["-m", "training.cli", "train", "sft", "--recipe", str(path)]
    environment = {**os.environ, "STORAGE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, timeout=240)
    run = tmp_path / "runs" / "sft-half"
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    before, after = (line["eval_loss"] for line in lines if "eval_loss" in line)
    assert after < before - 0.05
    assert AutoModelForCausalLM.from_pretrained(run / "model").config.model_type == "llama"
