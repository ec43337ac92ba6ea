"""The notebook for free GPU services, run cell by cell by IPython with a tiny base."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.training.export import families
from training import recipes

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "tune_8b_on_16gb.ipynb"
RECIPE = "training/recipes/sft_8b_16gb.yaml"


@pytest.fixture
def notebook() -> Any:
    found = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(found)
    return found


def test_it_gives_the_recipes_command_and_carries_no_results(notebook: Any) -> None:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    commands = [line.strip() for cell in cells for line in cell.source.splitlines() if line.lstrip().startswith("!")]
    assert any(line.startswith(f"!otklik train sft --recipe {RECIPE} ") for line in commands)
    head = (recipes.FOLDER / Path(RECIPE).name).read_text(encoding="utf-8")
    assert NOTEBOOK.relative_to(ROOT).as_posix() in head
    assert not [line for cell in cells for line in cell.source.splitlines() if "http" in line]


def parameters(notebook: Any, **given: Any) -> None:
    """Put values after the notebook's own, as papermill does."""
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    own = {line.split(" = ")[0] for line in notebook.cells[place].source.splitlines()}
    assert set(given) <= own
    lines = "\n".join(f"{name} = {value!r}" for name, value in given.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(lines))


def run(notebook: Any, folder: Path) -> str:
    path = folder / "notebook.ipynb"
    nbformat.write(notebook, path)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "OMP_NUM_THREADS": "1", "IPYTHONDIR": str(folder / "ipython")}
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(path)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def steps(folder: Path) -> list[int]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["step"] for line in lines if "loss" in line]


@pytest.mark.slow
def test_every_cell_runs_on_a_tiny_base(notebook: Any, tmp_path: Path) -> None:
    settings = ["epochs=null", "steps=3", "accumulate=1", "save_steps=1", "log_steps=1", "longest=500"]
    base = families.save_model("llama3", tmp_path / "base", max_position_embeddings=512)
    parameters(notebook, FOLDER=str(ROOT), BASE=str(base), STORAGE=str(tmp_path / "var"), SETTINGS=settings)
    training = next(
        i for i, cell in enumerate(notebook.cells) if "--resume" in cell.source and "!otklik" in cell.source
    )
    again = nbformat.v4.new_code_cell(notebook.cells[training].source)  # as after a lost connection
    notebook.cells.insert(training + 1, again)
    shown = run(notebook, tmp_path)
    folder = tmp_path / "var" / "runs" / "sft-8b-16gb"
    adapter = json.loads((folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["r"], adapter["base_model_name_or_path"]) == (64, str(base))
    assert (folder / "loss.png").is_file() and (folder / "memory.png").is_file()
    assert "reader instruction" in shown
    assert steps(folder) == [1, 2, 3]
    assert shown.count("models ready") == 2  # an answer with the adapter, one without
    assert (tmp_path / "var" / "8b-16gb.q8_0.gguf").stat().st_size > 100_000
