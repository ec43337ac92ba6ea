"""How threads wait for each other, and how many a worker takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.devices import use_threads
from storage import threads
from storage.threads import patient, usable_cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("50000 100000", 1), ("150000 100000", 2), ("max 100000", 8), ("nonsense", 8)],
)
def test_a_containers_share_bounds_the_cores(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert usable_cores(tmp_path / "cpu.max") == cores
    assert usable_cores(tmp_path / "absent") == 8


def test_a_worker_leaves_a_core_to_what_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    try:
        for cores, wanted, taken in ((8, None, 7), (2, None, 1), (1, None, 1), (1, 3, 3)):
            monkeypatch.setattr("models.devices.usable_cores", lambda cores=cores: cores)
            use_threads(wanted)
            assert torch.get_num_threads() == taken
        torch.set_num_threads(2)
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        use_threads(None)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "1000"}, {"GOMP_SPINCOUNT": "1000"}),
    ],
)
def test_operators_may_choose_how_threads_wait(
    given: dict[str, str], then: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(given))
    patient()
    assert os.environ == then


def test_a_command_says_so_before_torch_is_loaded(tmp_path: Path) -> None:
    """OpenMP reads it once, when torch brings it in, and shows then what it has read."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    env |= {"OMP_DISPLAY_ENV": "true", "STORAGE_DIR": str(tmp_path)}
    root = Path(threads.__file__).resolve().parents[1]
    command = [sys.executable, "-m", "otklik", "classify", "Ура"]
    ended = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=True)
    shown = [line for line in ended.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    assert shown and all("PASSIVE" in line for line in shown), ended.stderr[-500:]
