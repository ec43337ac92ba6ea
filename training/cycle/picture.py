"""The picture of a refit for the chat: the loss curve, and old against new with what chance leaves of it, in Russian.

Knows the run's metrics and the verdict; at most 200 KB as PNG.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.gate import Check, Verdict

OLD, NEW, GOOD, BAD, PLAIN = "#8a94a6", "#2f6fde", "#1e8e5a", "#c0392b", "#333333"
# Checks shown, with their titles and how their numbers are written.
SHOWN = (
    ("emotion_hit", "Попадание в эмоцию"),
    ("preference", "Предпочтения (модель)"),
    ("judge", "Предпочтения (судья)"),
    ("faults", "Пустые и зацикленные"),
    ("repetition", "Повторы слов"),
)
PLAIN_NUMBERS = (("length", "Длина, знаков", "{:.0f}"), ("perplexity", "Перплексия текстов", "{:.1f}"))
METHODS = {"dpo": "DPO", "simpo": "SimPO", "kto": "KTO", "sft": "SFT", "rlhf": "RLHF"}


def draw(folder: JobFolder, order: Order, plan: dict[str, Any], verdict: Verdict) -> None:
    """Write `picture.png`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    method = str(plan["method"])
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    _curve(left, losses(folder, method), METHODS.get(method, method))
    _card(right, verdict)
    head = "прошла проверку" if verdict.passed else "не прошла проверку"
    figure.suptitle(
        f"Дообучение {order.job_id}: новая версия {head}", color=GOOD if verdict.passed else BAD, fontsize=13
    )
    figure.savefig(folder.pictured, dpi=100)


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


def _curve(axes: Any, points: Sequence[tuple[int, float]], method: str) -> None:
    axes.set_title(f"Потери при обучении, {method}", fontsize=11)
    axes.set_xlabel("шаг")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if not points:
        axes.text(0.5, 0.5, "нет данных", ha="center", va="center", transform=axes.transAxes, color=OLD)
        return
    axes.plot([step for step, _ in points], [loss for _, loss in points], color=NEW, marker=".", linewidth=1.6)


def _card(axes: Any, verdict: Verdict) -> None:
    """Bars of shares, new over old; a whisker shows how low the new one may be by chance (how high, for harms)."""
    by_name = {one.name: one for one in verdict.checks if one.about == "not_worse"}
    rows = [(title, by_name[name]) for name, title in SHOWN if name in by_name]
    axes.set_title("Было и стало", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlim(0, 1.18)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    if not rows:
        axes.text(0.5, 0.5, "сравнивать было нечего", ha="center", va="center", transform=axes.transAxes, color=OLD)
        axes.set_yticks([])
        return
    for place, (_, row) in enumerate(rows):
        _pair(axes, place, row)
    axes.set_yticks(range(len(rows)), [title for title, _ in rows])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    notes = [
        f"{title}: {form.format(one.incumbent)} → {form.format(one.candidate)}"
        for name, title, form in PLAIN_NUMBERS
        if (one := by_name.get(name)) is not None and one.incumbent is not None and one.candidate is not None
    ]
    axes.set_xlabel("   ".join(notes) + "\nсерым — было, цветом — стало; чёрточка — граница, за которой случайность")


def _pair(axes: Any, place: int, one: Check) -> None:
    old, new = one.incumbent or 0.0, one.candidate or 0.0
    axes.barh(place - 0.19, old, height=0.34, color=OLD)
    axes.barh(place + 0.19, new, height=0.34, color=NEW if one.passed else BAD)
    text = f"{old:.1%} → {new:.1%}".replace(".", ",")
    axes.text(max(old, new, _edge(one)) + 0.02, place, text, va="center", fontsize=9, color=PLAIN)
    if one.bound is not None:
        edge = _edge(one)
        axes.plot([new, edge], [place + 0.19] * 2, color=PLAIN, linewidth=1.2)
        axes.plot([edge] * 2, [place + 0.09, place + 0.29], color=PLAIN, linewidth=1.2)


def _edge(one: Check) -> float:
    """Where chance may have put the new share at worst: `bound` is by how much it may be worse than the old one."""
    old, bound = one.incumbent or 0.0, one.bound or 0.0
    worse_is_higher = one.name in ("faults", "repetition")
    return min(1.0, max(0.0, old + bound if worse_is_higher else old - bound))
