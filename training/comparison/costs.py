"""What a method's run cost: minutes, peak memory, weights that were tuned. Read from its process and its run's folder.

Knows files that runs leave; starts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MIB = 1 << 20
# What methods call the loss of what is tuned; the first that a run has.
LOSSES = ("loss", "policy_loss", "generator_loss")


class Attempt(BaseModel):
    """One process of a run. `ended` False: it was killed together with the bench, so its time is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = Field(default=0.0, description="Largest resident memory of the whole process.")
    ended: bool = False


class Cost(BaseModel):
    """What an entry cost, all its processes together, or why there is nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: str
    folder: Path | None = Field(default=None, description="The finished adapter or model, inside the bench's folder.")
    failed: str | None = None
    minutes: float = 0.0
    cpu_minutes: float = 0.0
    peak_mib: float = 0.0
    peak_cuda_mib: float | None = None
    trainable: int | None = None
    parameters: int | None = None
    loss: float | None = Field(default=None, description="The last logged training loss.")
    at_least: bool = Field(default=False, description="A process was killed unseen: time and memory are lower bounds.")
    attempts: int = 1

    @property
    def share(self) -> float | None:
        """Trained of all weights, in percent."""
        return 100 * self.trainable / self.parameters if self.trainable and self.parameters else None

    @property
    def peak_gib(self) -> float:
        """Peak on the GPU where one was used, of the process otherwise."""
        return (self.peak_cuda_mib or self.peak_mib) / 1024


def total(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Sums and peaks of the processes."""
    return {
        "minutes": sum(one.seconds for one in attempts) / 60,
        "cpu_minutes": sum(one.cpu_seconds for one in attempts) / 60,
        "peak_mib": max((one.peak_mib for one in attempts), default=0.0),
        "at_least": any(not one.ended for one in attempts),
        "attempts": len(attempts),
    }


def measured(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's `metrics.jsonl`; a last line that was cut off is left out."""
    path, found = run / "metrics.jsonl", []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def of_run(lines: Sequence[Mapping[str, Any]], result: Path, base: Path) -> dict[str, Any]:
    """`trainable`, `parameters`, `peak_cuda_mib`, `loss`: as the run measured them, else counted in its files."""
    last = {name: value for line in lines for name, value in line.items()}
    trainable = last.get("trainable_parameters")
    parameters = last.get("parameters")
    if trainable is None:
        trainable, frozen = weights(result), weights(base)
        parameters = trainable + frozen if trainable and frozen else None
    return {
        "trainable": trainable,
        "parameters": parameters,
        "peak_cuda_mib": last.get("peak_cuda_mb"),
        "loss": next((last[name] for name in LOSSES if name in last), None),
    }


def weights(folder: Path) -> int | None:
    """Numbers in a folder's safetensors files, from their headers alone; None without such a file."""
    from safetensors import safe_open

    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    count = 0
    for path in files:
        with safe_open(path, framework="numpy") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (no mapping)
                size = 1
                for length in tensors.get_slice(name).get_shape():
                    size *= length
                count += size
    return count if files else None


def losses(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """(step, value) of every series whose name ends in `loss`, held-out ones last."""
    found: dict[str, dict[float, float]] = {}
    for line in lines:
        for name, value in line.items():
            if name.endswith("loss") and name != "train_loss" and "step" in line and isinstance(value, int | float):
                found.setdefault(name, {})[line["step"]] = value
    found = {name: own for name, own in found.items() if any(own.values())}  # a part that a method leaves out is zero
    ordered = sorted(found, key=lambda name: (name.startswith(("eval", "held")), name))
    return {name: sorted(found[name].items()) for name in ordered}
