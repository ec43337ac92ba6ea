"""A picture of the main result for a messenger: 1200 × 675, readable in a chat's preview. Knows figures, no chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.comparison.plots import FIRST, INK, style
from training.evaluation.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

PIXELS = (1200, 675)
DPI = 100
EDGE = 0.045
# Pixels between the edges, and those that names of systems and a bar may take.
BETWEEN = PIXELS[0] * (1 - 2 * EDGE)
NAMES = PIXELS[0] * 0.4
BARS = (0.32, 0.49)
LINES = 4


def draw(path: Path, title: str, under: str, lines: Sequence[str], values: Mapping[str, Interval], axis: str) -> None:
    """Bars with intervals for each system, the first one grey; `lines` say what it means. Letters shrink to fit."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.family": "DejaVu Sans", "text.color": INK}):
        figure = Figure(figsize=(PIXELS[0] / DPI, PIXELS[1] / DPI), dpi=DPI, facecolor="white")
        letters = Letters(FigureCanvasAgg(figure))
        size = letters.fitting([title], 27, BETWEEN, "bold")
        figure.text(EDGE, 0.925, title, fontsize=size, fontweight="bold", va="center")
        size = letters.fitting([under], 14, BETWEEN)
        figure.text(EDGE, 0.865, under, fontsize=size, color="#5b6773", va="center")
        _bars(figure, values, axis, letters)
        place = 0
        for number, line in enumerate(lines):
            weight = "normal" if number else "bold"
            for part in letters.wrapped(line, 16, BETWEEN, weight)[: LINES - place]:
                figure.text(EDGE, 0.185 - 0.05 * place, part, fontsize=16, fontweight=weight, va="center")
                place += 1
        figure.savefig(path, metadata={"Software": None})


def _bars(figure: Any, values: Mapping[str, Interval], axis: str, letters: Letters) -> None:
    looks = style(list(values))
    tallest = BARS[1] * PIXELS[1] / len(values) * 0.8 * 72 / DPI
    size = min(letters.fitting(list(values), 17, NAMES), tallest)
    left = EDGE + max(letters.width(name, size) for name in values) / PIXELS[0] + 0.01
    axes = figure.add_axes((left, BARS[0], 0.94 - left, BARS[1]))
    for place, (name, one) in enumerate(values.items()):
        colour = looks[name][0]
        axes.barh(place, one.mean, color=colour, height=0.66, alpha=0.9)
        axes.plot([one.low, one.high], [place, place], color=INK, linewidth=2)
        axes.text(one.high, place, f"  {one.mean:.2f}", va="center", fontsize=size, fontweight="bold", color=colour)
    axes.axvline(next(iter(values.values())).mean, color=FIRST, linestyle=":", linewidth=1.5)
    axes.set_yticks(range(len(values)), list(values), fontsize=size)
    axes.set_ylim(len(values) - 0.5, -0.5)
    highest = max(one.high for one in values.values()) or 1.0  # nobody may have reached anything
    axes.set_xlim(min(0.0, *(one.low for one in values.values())), 1.13 * highest)
    axes.set_xlabel(axis, fontsize=14, color="#5b6773")
    axes.tick_params(axis="x", labelsize=13, colors="#5b6773")
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


class Letters:
    """How wide text is on the card."""

    def __init__(self, canvas: FigureCanvasAgg) -> None:
        self._renderer: Any = canvas.get_renderer()  # type: ignore[no-untyped-call]

    def width(self, text: str, size: float, weight: str = "normal") -> float:
        """Pixels that a line takes."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
        found: float = self._renderer.get_text_width_height_descent(text, font, ismath=False)[0]
        return found

    def fitting(self, texts: Sequence[str], size: float, most: float, weight: str = "normal") -> float:
        """`size`, or the smaller one at which the widest text takes `most` pixels."""
        widest = max((self.width(text, size, weight) for text in texts), default=0.0)
        return size if widest <= most else size * most / widest

    def wrapped(self, text: str, size: float, most: float, weight: str = "normal") -> list[str]:
        """Lines of whole words, each at most `most` pixels wide where a word is not wider."""
        found: list[str] = []
        for word in text.split():
            longer = f"{found[-1]} {word}" if found else word
            if found and self.width(longer, size, weight) <= most:
                found[-1] = longer
            else:
                found.append(word)
        return found
