"""How far weights have moved since tuning began: hashes that prove it, a plot that shows it. Knows no method."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PARTS = ("base", "generator", "discriminator")
SAMPLE = 64


def weights_hash(module: Any) -> str:
    """SHA-256 over names and bytes of all parameters and buffers, in their own types."""
    import torch

    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        digest.update(name.encode() + str(weight.dtype).encode())
        digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class WeightChange:
    """How far each part has moved. Of a large part a sample is remembered: values at even distances in each tensor."""

    def __init__(self, modules: Mapping[str, Any], sampled: Sequence[str] = ()) -> None:
        self.modules, self.sampled = modules, frozenset(sampled)
        self.before = {name: {key: value.clone() for key, value in self._values(name)} for name in modules}

    def now(self) -> dict[str, float]:
        """Part → ‖now − before‖ / ‖before‖."""
        found = {}
        for name in self.modules:
            moved = size = 0.0
            for key, value in self._values(name):
                old = self.before[name][key]
                moved += float((value - old).square().sum())
                size += float(old.square().sum())
            found[name] = (moved / max(size, 1e-30)) ** 0.5
        return found

    def _values(self, name: str) -> Iterator[tuple[str, Any]]:
        for key, weight in self.modules[name].state_dict().items():
            flat = weight.detach().reshape(-1)
            yield key, (flat[:: max(1, len(flat) // SAMPLE)] if name in self.sampled else flat).float()


def plot(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw `change_base`, `change_generator`, `change_discriminator` of metrics lines over epochs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    # A scale for each: a part that moves a hundred times as far must not make the others look still.
    for place, part in enumerate(PARTS, 1):
        axes = figure.add_subplot(1, len(PARTS), place)
        points = {line["step"]: 100 * line[f"change_{part}"] for line in lines if f"change_{part}" in line}
        axes.plot(list(points), list(points.values()), marker=".")
        axes.set_title(part if any(points.values()) else f"{part}: unchanged", fontsize=9)
        axes.set_ylim(0, None if any(points.values()) else 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("change since the start, %", fontsize=9)
    figure.savefig(path, dpi=90)
