"""A comparison as Markdown, CSV, LaTeX and for the terminal, in English or Russian. Knows no metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from training.evaluation import absences
from training.evaluation.compare import Cell, Table
from training.evaluation.metrics.column import Absent, Column
from training.evaluation.statistics import CONFIDENCE, LEAST, Interval

if TYPE_CHECKING:
    from rich.table import Table as RichTable

WORDS = {
    "en": {
        "metric": "metric", "absent": "not available", "better": "better", "worse": "worse", "higher": "higher",
        "lower": "lower", "same": "no difference shown", "few": "too few prompts ({n}, {least} are needed)",
        "note": "Mean [95 % interval]; below it the difference to «{first}» on the same prompts and its p. "
        "Of {tests} differences looked at, chance alone shows about {chance:.0f}.",
        "why": "Not available", "only": "only {n}",
    },
    "ru": {
        "metric": "показатель", "absent": "нет данных", "better": "лучше", "worse": "хуже", "higher": "выше",
        "lower": "ниже", "same": "разница не видна", "few": "мало запросов ({n}, нужно {least})",
        "note": "Среднее [95 % интервал]; ниже – разница с «{first}» на тех же запросах и её p. "
        "Из {tests} разниц сама случайность показывает около {chance:.0f}.",
        "why": "Нет данных", "only": "всего {n}",
    },
}  # fmt: skip
LATEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
         "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}  # fmt: skip
FIELDS = ("metric", "system", "mean", "low", "high", "n", "difference", "difference_low", "difference_high", "p",
          "verdict", "not_available")  # fmt: skip


def title(column: Column, language: str = "en") -> str:
    """A column's name with an arrow in the good direction."""
    arrow = {"higher": " ↑", "lower": " ↓", None: ""}[column.better]
    return (column.russian if language == "ru" else column.title) + arrow


def verdict(cell: Cell, column: Column, language: str = "en") -> str:
    """What the difference means, in words; empty where there is none."""
    if cell.difference is None:
        return ""
    told, words = cell.difference.verdict, WORDS[language]
    if told == "few":
        return words["few"].format(n=cell.difference.interval.n, least=LEAST)
    if told == "same" or column.better is None:
        return words[told]
    return words["better" if told == column.better else "worse"]


def figure(value: Interval, digits: int, language: str = "en") -> str:
    """`0.123 [0.1, 0.2]`, with a remark where prompts are too few for the interval."""
    few = f" ({WORDS[language]['only'].format(n=value.n)})" if value.few else ""
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]{few}"


def change(cell: Cell, column: Column, language: str = "en") -> str:
    """The difference to the first system with its interval, p and verdict; empty where there is none."""
    if cell.difference is None:
        return ""
    digits, one = column.digits, cell.difference.interval
    shown = f"{one.mean:+.{digits}f} [{one.low:+.{digits}f}, {one.high:+.{digits}f}]"
    return f"{shown}, p {probability(cell.difference.p)}: {verdict(cell, column, language)}"


def probability(p: float) -> str:
    """`= 0.012` or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def markdown(table: Table, language: str = "en") -> str:
    """Metrics as rows, systems as columns, reasons of absent ones below."""
    words = WORDS[language]
    head = [words["metric"], *table.systems]
    lines = [_row(head), _row(["---"] * len(head))]
    for column in table.columns:
        cells = [table.cell(column.name, system) for system in table.systems]
        lines.append(_row([title(column, language), *(_shown(cell, column, language, "<br>") for cell in cells)]))
    if len(table.systems) > 1:
        lines += ["", note(table, language)]
    return "\n".join([*lines, *_reasons(table, language)]) + "\n"


def as_csv(table: Table) -> str:
    """One line a metric and system; numbers as they are, for other programs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FIELDS)
    for column in table.columns:
        for system in table.systems:
            cell = table.cell(column.name, system)
            if isinstance(cell.value, Absent):
                writer.writerow([column.name, system, *[""] * 9, cell.value.reason])
                continue
            value, told = cell.value, cell.difference
            numbers = [value.mean, value.low, value.high]
            extra: list[object] = [""] * 5
            if told is not None:
                one = told.interval
                extra = [*(f"{x:.6g}" for x in (one.mean, one.low, one.high, told.p)), told.verdict]
            writer.writerow([column.name, system, *(f"{x:.6g}" for x in numbers), value.n, *extra, ""])
    return out.getvalue()


def latex(table: Table, language: str = "en") -> str:
    """A booktabs table: means with intervals below; a star where the difference to the first system is shown."""
    words = WORDS[language]
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * len(table.systems)}}}",
        r"\toprule",
        _tex_row([words["metric"], *table.systems]),
        r"\midrule",
    ]
    for column in table.columns:
        arrow = {"higher": r" $\uparrow$", "lower": r" $\downarrow$", None: ""}[column.better]
        name = escape(column.russian if language == "ru" else column.title) + arrow
        cells = [_tex_cell(table.cell(column.name, system), column.digits) for system in table.systems]
        lines.append(" & ".join([name, *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def terminal(table: Table, language: str = "en") -> RichTable:
    """For rich to print."""
    from rich.table import Table as RichTable

    words = WORDS[language]
    shown = RichTable(caption=note(table, language) if len(table.systems) > 1 else None)
    shown.add_column(words["metric"])
    for system in table.systems:
        shown.add_column(system, justify="right")
    for column in table.columns:
        cells = [_shown(table.cell(column.name, system), column, language, "\n") for system in table.systems]
        # Brackets of intervals are no markup.
        shown.add_row(title(column, language), *(cell.replace("[", r"\[") for cell in cells))
    return shown


def note(table: Table, language: str = "en") -> str:
    """How to read the table, and how many of its differences are to be expected without any."""
    tests = sum(cell.difference is not None for cell in table.cells.values())
    return WORDS[language]["note"].format(first=table.systems[0], tests=tests, chance=tests * (1 - CONFIDENCE))


def escape(text: str) -> str:
    """A text as LaTeX shows it."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def _shown(cell: Cell, column: Column, language: str, line: str) -> str:
    if isinstance(cell.value, Absent):
        return WORDS[language]["absent"]
    parts = [figure(cell.value, column.digits, language), change(cell, column, language)]
    return line.join(part for part in parts if part)


def _tex_cell(cell: Cell, digits: int) -> str:
    if isinstance(cell.value, Absent):
        return "--"
    value = cell.value
    star = r"$^{*}$" if cell.difference is not None and cell.difference.verdict in ("higher", "lower") else ""
    return rf"{value.mean:.{digits}f}{star} {{\scriptsize [{value.low:.{digits}f}, {value.high:.{digits}f}]}}"


def _reasons(table: Table, language: str) -> list[str]:
    why: dict[str, list[str]] = {}
    for column in table.columns:
        for system in table.systems:
            value = table.cell(column.name, system).value
            if isinstance(value, Absent) and column.name not in why.setdefault(value.reason, []):
                why[value.reason].append(column.name)
    lines = [f"- {', '.join(names)}: {absences.told(reason, language)}" for reason, names in why.items()]
    return ["", f"{WORDS[language]['why']}:", "", *lines] if lines else []


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _tex_row(cells: Sequence[str]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"
