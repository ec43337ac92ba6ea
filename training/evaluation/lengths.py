"""How long answers are against a target, and how quality goes with length: numbers and one picture.

Knows samples and any one quality value a sample (a metric's column, a judge's preference), not what it means.
Lengths are tokens of the system that answered, so that systems with different tokenizers differ in their unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from training.evaluation.samples import Sample
from training.evaluation.statistics import CONFIDENCE, LEAST, Interval, interval

TARGET = 540
# Within a tenth of the target counts as met.
WINDOW = 0.1
BINS = 8
RESAMPLES = 500
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKS = "os^Dv*"


@dataclass(frozen=True)
class Lengths:
    """Tokens of one system's answers. Shares in [0, 1] over prompts: `within` the window around the target, `under`
    and `over` it, `cut` by the limit of new tokens. `quantiles`: tokens at 5, 25, 50, 75 and 95 %."""

    system: str
    target: int
    window: float
    mean: Interval
    quantiles: tuple[float, float, float, float, float]
    within: Interval
    under: Interval
    over: Interval
    cut: Interval
    counts: tuple[int, ...]
    edges: tuple[float, ...]


def tokens(sample: Sample) -> int | None:
    """Length of an answer; None where it was not counted (0 tokens of a text that is not empty)."""
    return sample.tokens if sample.tokens or not sample.answer.strip() else None


def measure(samples: Sequence[Sample], target: int = TARGET, window: float = WINDOW) -> dict[str, list[float | None]]:
    """One value a sample: `off_target`, tokens above the target (below: negative), and `within`, 1 in the window."""
    counted = [tokens(sample) for sample in samples]
    return {
        "off_target": [None if one is None else float(one - target) for one in counted],
        "within": [None if one is None else float(_side(one, target, window) == 0) for one in counted],
    }


def summary(samples: Sequence[Sample], target: int = TARGET, window: float = WINDOW, seed: int = 0) -> Lengths | str:
    """Lengths of one system's answers, or why they cannot be told."""
    counted = [(sample, one) for sample in samples if (one := tokens(sample)) is not None]
    if not counted:
        return "no answer's tokens were counted" if samples else "no answers"
    values = [one for _, one in counted]
    sides = [_side(one, target, window) for one in values]

    def share(flags: Sequence[bool]) -> Interval:
        return interval(_by_prompt([sample for sample, _ in counted], [float(flag) for flag in flags]), seed)

    top = max(max(values), int(target * (1 + window))) + 1
    counts, edges = np.histogram(values, bins=min(20, top), range=(0, top))
    five = np.percentile(values, [5, 25, 50, 75, 95])
    return Lengths(
        system=counted[0][0].system,
        target=target,
        window=window,
        mean=interval(_by_prompt([sample for sample, _ in counted], [float(one) for one in values]), seed),
        quantiles=(float(five[0]), float(five[1]), float(five[2]), float(five[3]), float(five[4])),
        within=share([side == 0 for side in sides]),
        under=share([side < 0 for side in sides]),
        over=share([side > 0 for side in sides]),
        cut=share([not sample.finished for sample, _ in counted]),
        counts=tuple(int(one) for one in counts),
        edges=tuple(float(one) for one in edges),
    )


def relation(samples: Sequence[Sample], quality: Sequence[float | None], seed: int = 0) -> Interval | str:
    """Spearman's rank correlation of length and quality over prompts with a percentile interval, or why there is none.

    `quality`: one value a sample, None where it was not measured. ValueError if the lengths differ.
    """
    from scipy.stats import rankdata

    points = _points(samples, quality)
    if len(points) < LEAST:
        return f"too few prompts to tell: {len(points)}, at least {LEAST} are needed"
    ranks = np.stack([rankdata([point[side] for point in points]) for side in (0, 1)])
    if np.ptp(ranks, axis=1).min() == 0:
        return "all lengths or all values are the same"
    draw = np.random.default_rng(seed)
    picks = draw.integers(len(points), size=(RESAMPLES, len(points)))
    # A resample has ties of its own: its ranks are taken anew.
    again = [np.stack([rankdata(side) for side in ranks[:, pick]]) for pick in picks]
    drawn = [_correlation(one) for one in again if np.ptp(one, axis=1).min() > 0]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Interval(_correlation(ranks), float(low), float(high), len(points))


def draw(
    systems: Mapping[str, tuple[Sequence[Sample], Sequence[float | None]]],
    path: Path,
    quality: str,
    target: int = TARGET,
    window: float = WINDOW,
    language: str = "en",
) -> None:
    """Write a PNG: above how many answers have which length, below quality against length with its running mean.

    `systems`: name → samples and one quality value each; `quality` names the lower axis.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    words = WORDS[language]
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    counted = {
        name: [one for sample in samples if (one := tokens(sample)) is not None]
        for name, (samples, _) in systems.items()
    }
    edges = np.histogram_bin_edges([one for those in counted.values() for one in those] or [0], bins=30)
    for number, (name, (samples, values)) in enumerate(systems.items()):
        look = {"color": COLOURS[number % len(COLOURS)], "label": name}
        above.hist(counted[name], bins=edges.tolist(), histtype="step", linewidth=1.6, **look)
        _scatter(below, _points(samples, values), MARKS[number % len(MARKS)], look)
    for axes in (above, below):
        axes.axvspan(target * (1 - window), target * (1 + window), color="#999999", alpha=0.18, linewidth=0)
        axes.axvline(target, color="#555555", linewidth=1, linestyle="--")
        axes.spines[["top", "right"]].set_visible(False)
    above.set_title(words["target"].format(target=target, window=window), fontsize=10)
    above.set_ylabel(words["answers"])
    below.set_ylabel(quality)
    below.set_xlabel(words["tokens"])
    if systems:
        below.legend(fontsize=9, frameon=False)
    figure.savefig(path, dpi=110)


WORDS = {
    "en": {"tokens": "answer, tokens", "answers": "answers", "target": "target {target} tokens ± {window:.0%}"},
    "ru": {"tokens": "ответ, токенов", "answers": "ответов", "target": "цель {target} токенов ± {window:.0%}"},
}


def binned(points: Sequence[tuple[float, float]], bins: int = BINS) -> list[tuple[float, float]]:
    """Mean length and mean quality of groups of about equal size, by length; answers of one length stay together."""
    groups: list[list[tuple[float, float]]] = []
    least = max(1, len(points) // bins)
    for point in sorted(points):
        if not groups or (len(groups[-1]) >= least and groups[-1][-1][0] != point[0]):
            groups.append([])
        groups[-1].append(point)
    return [(fmean(one for one, _ in group), fmean(one for _, one in group)) for group in groups]


def _scatter(axes: Any, points: Sequence[tuple[float, float]], mark: str, look: Mapping[str, Any]) -> None:
    if not points:
        return
    size = 22 if len(points) < 300 else 8
    axes.scatter(*zip(*points, strict=True), s=size, marker=mark, alpha=0.35, color=look["color"], linewidths=0)
    axes.plot(*zip(*binned(points), strict=True), marker=mark, linewidth=2, **look)


def _points(samples: Sequence[Sample], quality: Sequence[float | None]) -> list[tuple[float, float]]:
    """(tokens, quality) a prompt, mean over its seeds, of those that have both."""
    if len(samples) != len(quality):
        raise ValueError(f"{len(samples)} samples cannot have {len(quality)} values")
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for sample, value in zip(samples, quality, strict=True):
        length = tokens(sample)
        if length is not None and value is not None:
            found[sample.key].append((length, value))
    return [(fmean(one for one, _ in those), fmean(one for _, one in those)) for those in found.values()]


def _by_prompt(samples: Sequence[Sample], values: Sequence[float]) -> list[float]:
    found: dict[str, list[float]] = defaultdict(list)
    for sample, value in zip(samples, values, strict=True):
        found[sample.key].append(value)
    return [fmean(those) for those in found.values()]


def _side(length: int, target: int, window: float) -> int:
    """−1 under the window around the target, 0 within, 1 over."""
    return (length > target * (1 + window) + 1e-9) - (length < target * (1 - window) - 1e-9)


def _correlation(ranks: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.asarray(np.corrcoef(ranks))[0, 1])
