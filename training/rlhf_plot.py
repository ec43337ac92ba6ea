"""One picture of an rlhf run, whichever algorithm made it. Knows the names of the figures, not how they arise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Panel → the figures in it, by our names and by TRL's.
PANELS = {
    "reward": ("reward", "held_out_reward", "eval_reward"),
    "KL to the reference": ("kl",),
    "entropy, nats a token": ("entropy",),
    "answer, tokens": ("length", "completions/mean_length"),
    "clipped": ("clip_fraction", "clip_ratio/region_mean"),
    "critic": ("explained_variance",),
}


def draw(metrics: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw every panel that has figures over steps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    panels = {title: series(metrics, names) for title, names in PANELS.items()}
    panels = {title: lines for title, lines in panels.items() if lines}
    rows = max(1, (len(panels) + 1) // 2)
    figure = Figure(figsize=(9, 2.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, lines) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, 2, place)
        for name, points in lines.items():
            style = "o" if len(points) < 3 else "-"
            axes.plot([step for step, _ in points], [value for _, value in points], style, label=name)
        axes.set_title(title, fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(lines) > 1:
            axes.legend(fontsize=8)
    figure.savefig(path, dpi=90)


def series(metrics: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of each figure that was measured; of a step that was measured twice the last."""
    found = {name: {one["step"]: one[name] for one in metrics if name in one and "step" in one} for name in names}
    return {name: sorted(points.items()) for name, points in found.items() if points}
