"""The trainer stays light: it stores ratings on a machine that has none of the packages of machine learning."""

from __future__ import annotations

import subprocess
import sys

HEAVY = "torch transformers peft trl datasets numpy scipy pandas sklearn matplotlib safetensors tokenizers psutil httpx"
PROGRAM = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {set(HEAVY.split())!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import training.trainer
from training.settings import TrainingSettings
TrainingSettings()
print("light")
"""


def test_the_trainer_starts_without_the_packages_of_machine_learning() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "light", ended.stderr
