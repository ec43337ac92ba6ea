"""A picture of the main result for a messenger: 1200 × 675, readable in a chat's preview. Knows figures, no chat."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.comparison.plots import FIRST, INK, style
from training.evaluation.statistics import Interval

PIXELS = (1200, 675)
DPI = 100
LETTERS = 90  # of a line across the card


def draw(path: Path, title: str, under: str, lines: Sequence[str], values: Mapping[str, Interval], axis: str) -> None:
    """Bars with intervals for each system, the first one grey; `lines` say what it means."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    looks = style(list(values))
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "text.color": INK}):
        figure = Figure(figsize=(PIXELS[0] / DPI, PIXELS[1] / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.045, 0.925, title, fontsize=27, fontweight="bold", va="center")
        figure.text(0.045, 0.865, under, fontsize=14, color="#5b6773", va="center")
        axes = figure.add_axes((0.12, 0.32, 0.82, 0.49))
        for place, (name, one) in enumerate(values.items()):
            colour = looks[name][0]
            axes.barh(place, one.mean, color=colour, height=0.66, alpha=0.9)
            axes.plot([one.low, one.high], [place, place], color=INK, linewidth=2)
            axes.text(one.high, place, f"  {one.mean:.2f}", va="center", fontsize=17, fontweight="bold", color=colour)
        axes.axvline(next(iter(values.values())).mean, color=FIRST, linestyle=":", linewidth=1.5)
        axes.set_yticks(range(len(values)), list(values), fontsize=17)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.set_xlim(min(0.0, *(one.low for one in values.values())), 1.13 * max(one.high for one in values.values()))
        axes.set_xlabel(axis, fontsize=14, color="#5b6773")
        axes.tick_params(axis="x", labelsize=13, colors="#5b6773")
        axes.tick_params(axis="y", length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        wrapped = [(part, place == 0) for place, line in enumerate(lines) for part in textwrap.wrap(line, LETTERS)]
        for place, (line, strong) in enumerate(wrapped[:4]):
            weight = "bold" if strong else "normal"
            figure.text(0.045, 0.185 - 0.05 * place, line, fontsize=16, fontweight=weight, va="center")
        figure.savefig(path, metadata={"Software": None})
