"""The picture of a refit for the chat: the loss curve, and old against new with intervals, in Russian.

Knows the run's metrics, the evidence and the verdict; at most 200 KB as PNG.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.evaluation.statistics import Interval, interval
from training.gate import Verdict
from training.gating.bounds import Numbers
from training.gating.evidence import Columns, Evidence, columns

OLD, NEW, GOOD, BAD, INK = "#9aa3b2", "#2f6fde", "#1e8e5a", "#c0392b", "#333333"
METHODS = {"dpo": "DPO", "simpo": "SimPO", "kto": "KTO", "sft": "SFT", "rlhf": "RLHF"}
SIZE, DPI, LINE = (9.6, 5.0), 100, 125


@dataclass(frozen=True)
class Bars:
    """One row of the card: a share of answers, of the old and the new version."""

    title: str
    check: str
    old: Interval
    new: Interval


def draw(folder: JobFolder, order: Order, plan: dict[str, Any], evidence: Evidence, verdict: Verdict) -> None:
    """Write `picture.png`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    method = str(plan["method"])
    given = columns(evidence)
    figure = Figure(figsize=SIZE)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.15])
    figure.subplots_adjust(left=0.075, right=0.96, top=0.84, bottom=0.26, wspace=0.52)
    _curve(left, losses(folder, method), METHODS.get(method, method))
    _card(right, card(given), {one.name for one in verdict.checks if one.required and not one.passed})
    head, colour = ("прошла проверку", GOOD) if verdict.passed else ("не прошла проверку", BAD)
    figure.text(0.02, 0.94, f"Новая версия {head}", color=colour, fontsize=14, weight="bold")
    figure.text(0.98, 0.94, f"{order.job_id} · {order.slot}"[:60], color=OLD, fontsize=9, ha="right")
    figure.text(0.02, 0.03, "\n".join([_numbers(given), *_reasons(verdict)]), color=INK, fontsize=9, va="bottom")
    figure.savefig(folder.pictured, dpi=DPI)


def losses(folder: JobFolder, method: str) -> list[tuple[int, float]]:
    """(step, loss) as the run wrote them down; a step that was done twice counts once, as it was done last."""
    path = folder.run(method) / "metrics.jsonl"
    found: dict[int, float] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "loss" in row and "step" in row:
            found[int(row["step"])] = float(row["loss"])
    return sorted(found.items())


def card(given: Columns) -> list[Bars]:
    """What is shown as shares of answers; only what was measured of both."""
    pairs = [
        ("Попадание в эмоцию", "emotion_hit", given.hit),
        ("Предпочитают\n(модель предпочтений)", "preference", (1 - given.preference, given.preference)),
        ("Предпочитают\n(судья)", "judge", (1 - given.judge, given.judge)),
        ("Пустые и\nзацикленные", "faults", given.fault),
        ("Повторы слов", "repetition", given.repetition),
    ]
    found = [(title, name, _both(old, new)) for title, name, (old, new) in pairs]
    return [Bars(title, name, *both) for title, name, both in found if both is not None]


def _both(old: Numbers, new: Numbers) -> tuple[Interval, Interval] | None:
    known = ~(np.isnan(old) | np.isnan(new))
    if not known.any():
        return None
    return interval(list(map(float, old[known]))), interval(list(map(float, new[known])))


def _curve(axes: Any, points: Sequence[tuple[int, float]], method: str) -> None:
    axes.set_title(f"Потери при обучении, {method}", fontsize=11)
    axes.set_xlabel("шаг")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if not points:
        axes.text(0.5, 0.5, "нет данных", ha="center", va="center", transform=axes.transAxes, color=OLD)
        return
    axes.plot([step for step, _ in points], [loss for _, loss in points], color=NEW, marker=".", linewidth=1.6)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _card(axes: Any, rows: Sequence[Bars], failed: set[str]) -> None:
    axes.set_title("Было (серым) и стало", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.tick_params(axis="y", length=0)
    if not rows:
        axes.text(0.5, 0.5, "сравнивать было нечего", ha="center", va="center", transform=axes.transAxes, color=OLD)
        axes.set_yticks([])
        return
    for place, one in enumerate(rows):
        _bar(axes, place - 0.2, one.old, OLD)
        _bar(axes, place + 0.2, one.new, BAD if one.check in failed else NEW)
    axes.set_yticks(range(len(rows)), [one.title for one in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _bar(axes: Any, place: float, one: Interval, colour: str) -> None:
    axes.barh(place, one.mean, height=0.34, color=colour)
    axes.plot([one.low, one.high], [place, place], color=INK, linewidth=1.2)
    for edge in (one.low, one.high):
        axes.plot([edge, edge], [place - 0.08, place + 0.08], color=INK, linewidth=1.2)
    text, right = f"{one.mean:.1%}".replace(".", ",").replace("%", " %"), one.high > 0.8
    at = min(one.low, one.mean) - 0.02 if right else max(one.high, one.mean) + 0.02
    axes.text(at, place, text, va="center", ha="right" if right else "left", fontsize=8.5, color="w" if right else INK)


def _numbers(given: Columns) -> str:
    """Length and perplexity with intervals, and how many prompts there were."""
    old, new = (interval(list(map(float, one))) for one in given.length)
    parts = [f"Ответ, знаков: {_within(old, '.0f')} → {_within(new, '.0f')}"]
    if len(given.tokens):
        before, after = (_perplexity(one, given.tokens) for one in given.nats)
        parts.append(f"Перплексия: {_within(before, '.1f')} → {_within(after, '.1f')}")
    return "     ".join([*parts, f"Запросов: {given.prompts}"])


def _perplexity(nats: Numbers, tokens: Numbers) -> Interval:
    """exp(Σ nats / Σ tokens), with its interval over texts drawn again."""
    drawn = np.random.default_rng(0).integers(0, len(tokens), (1000, len(tokens)))
    again = np.exp(nats[drawn].sum(axis=1) / tokens[drawn].sum(axis=1))
    low, high = np.quantile(again, [0.025, 0.975])
    return Interval(float(np.exp(nats.sum() / tokens.sum())), float(low), float(high), len(tokens))


def _within(one: Interval, form: str) -> str:
    return f"{one.mean:{form}} [{one.low:{form}}–{one.high:{form}}]".replace(".", ",")


def _reasons(verdict: Verdict) -> list[str]:
    """The first reasons, whole lines."""
    lines = [
        line for reason in verdict.reasons_ru for line in textwrap.wrap(f"• {reason}", LINE, subsequent_indent="   ")
    ]
    return lines[:4] if len(lines) <= 4 else [*lines[:3], "…"]
