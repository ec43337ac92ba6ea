"""The steps of a refit without a model: the real program around them (lock, parent's end, faults), files as they would
leave them. Each run of a step is written down, so that a test sees what was done twice.

`behave.json` in the job's folder: `slow` (seconds by step), `fault` (by step: what goes wrong), `passed`.
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from models.settings import STARTER
from storage.contracts import now
from storage.settings import StorageSettings
from training.cycle import stage
from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.recipes import RecipeError

TRAIN_STEPS = 5


def behave(folder: JobFolder) -> dict[str, Any]:
    return folder.read("behave") or {}


def began(folder: JobFolder, step: str) -> None:
    with (folder.path / "done.txt").open("a", encoding="utf-8") as out:
        out.write(f"{step}\n")
    fault = behave(folder).get("fault", {}).get(step)
    if fault == "recipe":
        raise RecipeError("recipe: rows must be a number")
    if fault == "disk":
        raise OSError(errno.ENOSPC, "No space left on device")
    if fault == "crash":
        sys.exit(9)
    if fault == "bug":
        raise ZeroDivisionError("division by zero")
    if fault == "greedy":
        held = bytearray(400 << 20)
        held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
        time.sleep(60)


def slowly(folder: JobFolder, step: str) -> None:
    time.sleep(float(behave(folder).get("slow", {}).get(step, 0.0)))


def prepare(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    began(folder, "prepare")
    slowly(folder, "prepare")
    people = behave(folder).get("people", [1, 2])
    folder.write("sets", {"folders": {}, "counts": {}, "people": people, "manifest": {}, "at": now().isoformat()})
    method = None if behave(folder).get("fault", {}).get("prepare") == "few" else "kto"
    folder.write(
        "plan", {"method": method, "ru": ["нужно ещё 40 оценок 👍 и 👎"], "en": ["40 more thumbs"], "rows": {}}
    )


def train(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    began(folder, "train")
    run = folder.run("kto")
    run.mkdir(parents=True, exist_ok=True)
    metrics = run / "metrics.jsonl"
    done = len(metrics.read_text().splitlines()) if metrics.exists() else 0
    for step in range(done + 1, TRAIN_STEPS + 1):
        time.sleep(float(behave(folder).get("slow", {}).get("train", 0.0)) / TRAIN_STEPS)
        with metrics.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"step": step, "seconds": step * 0.1, "loss": 1 / step}) + "\n")
    shutil.copytree(STARTER / "adapter", folder.adapter("kto"), dirs_exist_ok=True)


def evaluate(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    began(folder, "evaluate")
    slowly(folder, "evaluate")
    passed = bool(behave(folder).get("passed", True))
    folder.pictured.write_bytes(b"picture")
    reasons = ["стало лучше" if passed else "лучше не стало"]
    told = {"passed": passed, "reasons_ru": reasons, "text_ru": reasons[0], "prompt": "0123456789abcdef", "checks": []}
    folder.write("verdict", told)


STEPS: dict[str, Callable[[JobFolder, Order, StorageSettings], None]] = {
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
}

if __name__ == "__main__":
    stage.STEPS.update(STEPS)
    sys.exit(stage.main(sys.argv[1:]))
