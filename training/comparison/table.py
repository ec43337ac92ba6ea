"""Quality and cost in one table: cost rows laid under the evaluation's own Markdown, CSV and LaTeX.

Quality is the same for the same seed; what a run cost is measured, once. Knows no metric.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from training.comparison.costs import Cost
from training.evaluation import tables
from training.evaluation.compare import Table

WORDS = {
    "en": {"none": "–", "failed": "not trained", "once": "cost rows are single measurements, without intervals"},
    "ru": {"none": "–", "failed": "не обучено", "once": "стоимость измерена по одному разу, без интервалов"},
}


@dataclass(frozen=True)
class Row:
    """A figure of a run's cost. `of`: None where it was not measured."""

    name: str
    title: str
    russian: str
    digits: int
    of: Callable[[Cost], float | None]

    def shown(self, cost: Cost) -> str | None:
        """The figure as text, «≥» before a lower bound."""
        value = self.of(cost)
        bound = "≥ " if cost.at_least and self.name in TIMED else ""
        return None if value is None else f"{bound}{value:.{self.digits}f}"


TIMED = ("minutes", "cpu_minutes", "peak_gib")
ROWS = (
    Row("minutes", "Training, minutes ↓", "Обучение, минут ↓", 1, lambda cost: cost.minutes),
    Row("cpu_minutes", "Training, minutes of one CPU core ↓", "Обучение, минут одного ядра ↓", 1,
        lambda cost: cost.cpu_minutes),
    Row("peak_gib", "Peak memory, GiB ↓", "Пик памяти, ГиБ ↓", 2, lambda cost: cost.peak_gib),
    Row("trainable_percent", "Weights trained, % of all", "Обучаемых весов, % от всех", 2, lambda cost: cost.share),
    Row("loss", "Training loss, last (each method's own)", "Потери обучения, последние (у каждого свои)", 3,
        lambda cost: cost.loss),
)  # fmt: skip


def cells(systems: Sequence[str], costs: Mapping[str, Cost], language: str = "en") -> list[tuple[str, list[str]]]:
    """(title, a text for each system) of every cost row; the base cost nothing and has a dash."""
    empty = WORDS[language]["none"]
    return [
        (
            row.russian if language == "ru" else row.title,
            [(row.shown(costs[name]) if name in costs else None) or empty for name in systems],
        )
        for row in ROWS
    ]


def markdown(table: Table, costs: Mapping[str, Cost], language: str = "en") -> str:
    """The evaluation's table with cost rows below its own, and what failed under it."""
    lines = tables.markdown(table, language).splitlines()
    last = max(place for place, line in enumerate(lines) if line.startswith("|"))
    under = ["| " + " | ".join([title, *own]) + " |" for title, own in cells(table.systems, costs, language)]
    whole = [*lines[: last + 1], *under, *lines[last + 1 :], "", f"- {WORDS[language]['once']}"]
    whole += [f"- {WORDS[language]['failed']}: {name}: {why}" for name, why in failures(costs).items()]
    return "\n".join(whole) + "\n"


def as_csv(table: Table, costs: Mapping[str, Cost]) -> str:
    """One line a figure and system, costs last, entries that failed with their reason."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in ROWS:
        for name, cost in costs.items():
            value = row.of(cost)
            if cost.failed is not None or value is None:
                writer.writerow([row.name, name, *[""] * 9, cost.failed or "not measured"])
            else:
                writer.writerow([row.name, name, f"{value:.6g}", "", "", 1, *[""] * 6])
    return tables.as_csv(table) + out.getvalue()


def latex(table: Table, costs: Mapping[str, Cost], language: str = "en") -> str:
    """The evaluation's booktabs table with cost rows after a rule."""
    head, rule, tail = tables.latex(table, language).partition(r"\bottomrule")
    rows = [
        " & ".join(tables.escape(one).replace("↓", r"$\downarrow$").replace("≥", r"$\geq$").replace("–", "--")
                   for one in (title, *own)) + r" \\"
        for title, own in cells(table.systems, costs, language)
    ]  # fmt: skip
    return head + "\n".join([r"\midrule", *rows]) + "\n" + rule + tail


def failures(costs: Mapping[str, Cost]) -> dict[str, str]:
    """Why entries have no figures."""
    return {name: cost.failed for name, cost in costs.items() if cost.failed is not None}


def figures(table: Table, costs: Mapping[str, Cost]) -> dict[str, dict[str, str]]:
    """Every figure of ours by system and column, as text with its interval, to stand beside published ones."""
    from training.evaluation.metrics.column import Absent

    found: dict[str, dict[str, str]] = {name: {} for name in table.systems}
    for column in table.columns:
        for system in table.systems:
            value = table.cell(column.name, system).value
            if not isinstance(value, Absent):
                found[system][column.name] = tables.figure(value, column.digits)
    for name, cost in costs.items():
        for row in ROWS:
            if cost.failed is None and (shown := row.shown(cost)):
                found.setdefault(name, {})[row.name] = shown
    return found
