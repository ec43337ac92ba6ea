"""How far a step's process is, read from the files that it writes anyway. Knows no process and no job's state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from training.cycle import laying
from training.cycle.places import JobFolder


@dataclass(frozen=True)
class Progress:
    """`step` of `steps`; `loss` of the newest step that told one."""

    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    eta_seconds: float | None = None


def of_run(folder: JobFolder, method: str) -> Progress:
    """A method's run: its newest line of metrics, and how long the rest takes at the pace of its newest steps."""
    lines = [one for one in _lines(folder.run(method) / "metrics.jsonl") if isinstance(one.get("step"), int)]
    steps = laying.steps_of(folder, method)
    if not lines:
        return Progress(steps=steps)
    newest = lines[-1]
    step = int(newest["step"])
    loss = next((float(one["loss"]) for one in reversed(lines) if "loss" in one), None)
    return Progress(step, steps, loss, _eta(lines, steps))


def _eta(lines: list[dict[str, float]], steps: int | None) -> float | None:
    """Seconds left; None where it cannot be told. Clocks begin anew with every process, so only rising ones count."""
    recent = lines[-10:]
    first, last = recent[0], recent[-1]
    done, took = last["step"] - first["step"], last.get("seconds", 0.0) - first.get("seconds", 0.0)
    if steps is None or done <= 0 or took <= 0:
        return None
    return max(0.0, (steps - last["step"]) * took / done)


def of_evaluation(folder: JobFolder) -> Progress:
    """Answers that were drawn, of all systems."""
    told = folder.read("evaluating")
    if told is None:
        return Progress()
    places = sorted((folder.path / "evaluation" / "samples").glob("*.jsonl"))
    done = sum(path.read_bytes().count(b"\n") for path in places)
    return Progress(done, int(told["answers"]))


def _lines(path: Path) -> list[dict[str, float]]:
    """The whole lines of a file that is being written."""
    found = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return [one for one in found if isinstance(one, dict)]
