"""The picture of a simulation: hits, satisfaction and refits, round by round. Knows the figures as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TITLES = {
    "hit": "Asked emotion is carried (gate classifier)",
    "satisfaction": "Satisfaction (true taste)",
}
COLOURS = {"loop": "#1f6fb2", "adversarial": "#c05a1c"}
NAMES = {"loop": "loop", "adversarial": "loop, 30 % bad raters"}
MARKS = {"live": ("o", "promoted"), "rejected": ("X", "rejected")}
# Worlds stand beside each other at the same round.
SHIFTS = {"loop": -0.05, "adversarial": 0.05}


def draw(figures: Mapping[str, Any], path: Path) -> None:
    """Write the picture as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(TITLES), figsize=(5.6 * len(TITLES), 4.2), layout="constrained")
    for axis, name in zip(axes, TITLES, strict=True):
        _panel(axis, figures, name)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panel(axis: Any, figures: Mapping[str, Any], name: str) -> None:
    rounds = max((len(world["rounds"]) for world in figures["worlds"].values()), default=0)
    _band(axis, figures["control"][name], "#666666", "control, no refits")
    if figures["best"] is not None:
        best = figures["best"][name]
        label = f"best of {figures['plan']['oracle']} by true taste"
        axis.axhline(best["mean"], color="#2e8b57", linestyle="--", linewidth=1.3, label=label)
    for world, colour in COLOURS.items():
        if world in figures["worlds"]:
            _line(axis, figures, world, name, colour)
    axis.set_title(TITLES[name], fontsize=11)
    axis.set_xlabel("round (after its refit)")
    axis.set_xticks(range(rounds + 1))
    axis.set_xlim(-0.3, rounds + 0.3)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _band(axis: Any, level: Mapping[str, float], colour: str, label: str) -> None:
    axis.axhline(level["mean"], color=colour, linewidth=1.3, label=label)
    axis.axhspan(level["low"], level["high"], color=colour, alpha=0.12, linewidth=0)


def _line(axis: Any, figures: Mapping[str, Any], world: str, name: str, colour: str) -> None:
    rounds = figures["worlds"][world]["rounds"]
    levels = [figures["control"][name], *(one["levels"][name] for one in rounds)]
    places = [number + SHIFTS[world] for number in range(len(levels))]
    means = [one["mean"] for one in levels]
    spans = [[one["mean"] - one["low"] for one in levels], [one["high"] - one["mean"] for one in levels]]
    axis.errorbar(places, means, yerr=spans, color=colour, linewidth=1.6, capsize=3, label=NAMES[world])
    for place, mean, one in zip(places[1:], means[1:], rounds, strict=True):
        mark, label = MARKS.get(one["job"]["state"] if one["job"] else "", ("s", "no refit"))
        shown = axis.get_legend_handles_labels()[1]
        axis.plot(
            place, mean, mark, color=colour, markersize=8, markeredgecolor="white", linestyle="none",
            label=label if label not in shown else None,
        )  # fmt: skip
