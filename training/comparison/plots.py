"""Plots as inline SVG: intervals, emotion radar, length and cost against quality, loss curves. Knows numbers and names.

No fonts and no files are fetched: letters are outlines. The same numbers give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from training.evaluation.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart without red and green, and marks for print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9", "#7A4FB5", "#8C564B")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "h")
FIRST, INK, GRID = "#777777", "#1c2530", "#e3e7ec"
# Inches: a phone is about 5 of them wide when a point is a pixel, so letters stay readable there.
WIDE = 5.2


def style(systems: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(colour, mark) of each system; the first one, what others are compared with, is grey."""
    found = {systems[0]: (FIRST, "o")} if systems else {}
    for place, name in enumerate(systems[1:]):
        found[name] = (COLOURS[place % len(COLOURS)], MARKS[(place + 1) % len(MARKS)])
    return found


@contextmanager
def drawing(height: float, salt: str, polar: bool = False) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one set of axes in the house's style. `salt` keeps the names inside a page's plots apart."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    keys: Any = {
        "svg.hashsalt": salt, "svg.fonttype": "path", "font.size": 11, "font.family": "DejaVu Sans",
        "text.color": INK, "axes.edgecolor": "#9aa5b1", "axes.labelcolor": INK, "xtick.color": INK,
        "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
        "grid.color": GRID, "axes.axisbelow": True,
    }  # fmt: skip
    with matplotlib.rc_context(keys):
        figure = Figure(figsize=(WIDE, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure, figure.add_subplot(polar=polar)


def svg(figure: Figure, title: str) -> str:
    """The figure as an element to stand in a page, named for who cannot see it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1)
    name = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)


def intervals(values: Mapping[str, Interval], title: str) -> str:
    """A mean with its interval for each system, one below the other."""
    looks = style(list(values))
    with drawing(0.9 + 0.42 * len(values), "intervals") as (figure, axes):
        for place, (name, one) in enumerate(values.items()):
            colour, mark = looks[name]
            _error(axes, one, place, colour, mark)
            axes.text(one.high, place - 0.16, f" {one.mean:.2f}", color=colour, va="bottom", ha="left", fontsize=10)
        axes.axvline(next(iter(values.values())).mean, color=FIRST, linestyle=":", linewidth=1)
        axes.set_yticks(range(len(values)), list(values))
        axes.set_ylim(len(values) - 0.4, -0.7)
        axes.set_xlabel(title)
        axes.margins(x=0.12)
        return svg(figure, title)


def _error(axes: Axes, one: Interval, y: float, colour: str, mark: str) -> None:
    spread = [[one.mean - one.low], [one.high - one.mean]]
    axes.errorbar([one.mean], [y], xerr=spread, fmt=mark, color=colour, capsize=3, markersize=7)


def radar(rates: Mapping[str, Mapping[str, float]], axes_names: Mapping[str, str], title: str) -> str:
    """Systems over presets: `rates[system][preset]`, 0 to 1; `axes_names` gives the presets' order and titles."""
    looks = style(list(rates))
    angles = [2 * math.pi * place / len(axes_names) for place in range(len(axes_names))]
    with drawing(4.9, "radar", polar=True) as (figure, axes):
        for name, own in rates.items():
            values = [own.get(preset, math.nan) for preset in axes_names]
            colour, mark = looks[name]
            first = name == next(iter(rates))
            line = "--" if first else "-"
            axes.plot([*angles, angles[0]], [*values, values[0]], line, color=colour, marker=mark, markersize=4,
                      linewidth=1.6, label=name, zorder=4 if first else 3)  # fmt: skip
        axes.set_xticks(angles, list(axes_names.values()))
        axes.set_ylim(0, 1)
        axes.set_yticks([0.25, 0.5, 0.75, 1.0], ["", "0.5", "", "1"])
        axes.set_theta_offset(math.pi / 2)  # type: ignore[attr-defined]
        axes.set_theta_direction(-1)  # type: ignore[attr-defined]
        axes.tick_params(axis="x", pad=4)
        for angle, label in zip(angles, axes.get_xticklabels(), strict=True):
            side = math.sin(angle)
            label.set_horizontalalignment("center" if abs(side) < 0.1 else "left" if side > 0 else "right")
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=10)
        return svg(figure, title)


def scatter(
    points: Mapping[str, tuple[Interval | float, Interval]], across: str, up: str, target: float | None = None
) -> str:
    """Quality against something: an interval or a number across, an interval up. `target`: a wanted value across."""
    looks = style(list(points))
    with drawing(4.0, f"scatter {across}") as (figure, axes):
        for name, (x, y) in points.items():
            colour, mark = looks[name]
            mean = x.mean if isinstance(x, Interval) else x
            wide = [[mean - x.low], [x.high - mean]] if isinstance(x, Interval) else None
            axes.errorbar([mean], [y.mean], xerr=wide, yerr=[[y.mean - y.low], [y.high - y.mean]], fmt=mark,
                          color=colour, capsize=2, markersize=8, elinewidth=1, label=name)  # fmt: skip
        if target is not None:
            axes.axvline(target, color=INK, linestyle=":", linewidth=1)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.margins(0.12)
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=10)
        return svg(figure, f"{up} / {across}")


def curves(series: Mapping[str, Sequence[tuple[float, float]]], name: str, colour: str, step: str) -> str:
    """A method's losses over its steps, on axes of its own: losses of different methods are no common scale."""
    from matplotlib.ticker import MaxNLocator

    with drawing(2.8, f"loss {name}") as (figure, axes):
        for place, (label, points) in enumerate(series.items()):
            line = ("-", "--", ":", "-.")[place % 4]
            few = "o" if len(points) < 4 else None
            axes.plot(*zip(*points, strict=True), line, color=colour, marker=few, linewidth=1.6, label=label)
        axes.ticklabel_format(useOffset=False)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        steps = {x for points in series.values() for x, _ in points}
        if len(steps) == 1:  # the axis would show parts of a step
            axes.set_xlim(min(steps) - 1, min(steps) + 1)
        axes.set_xlabel(step)
        axes.set_title(name, loc="left", fontsize=12, fontweight="bold")
        figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
        return svg(figure, f"loss: {name}")
