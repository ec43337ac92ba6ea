"""A judge's win rates as columns of the table, where `otklik judge --out BENCH/judge` has been run on the samples.

Reads what that command wrote; asks nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.evaluation.compare import Cell, Table
from training.evaluation.metrics.column import Absent, Column
from training.evaluation.statistics import Difference, Interval

SUMMARY = Path("judge") / "summary.json"
COLUMNS = {
    "total": Column("judge_win", "Judge's win rate", "Доля побед у судьи", "higher"),
    "controlled": Column("judge_win_controlled", "Judge's win rate, length-controlled",
                         "Доля побед у судьи при равной длине", "higher"),
}  # fmt: skip


def add(table: Table, folder: Path) -> None:
    """Two columns more, if there are verdicts; the difference is the one to a half."""
    path = folder / SUMMARY
    if not path.is_file():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    for key, column in COLUMNS.items():
        table.add(column, cells(found, key, table.systems))


def cells(found: Sequence[Mapping[str, Any]], key: str, systems: Sequence[str]) -> dict[str, Cell]:
    """A system's win rate over what it was compared with; of several, over the first system."""
    shown = {systems[0]: Cell(Absent("it is what the judge compared the others with"))}
    for one in found:
        if one["other"] not in systems[1:] and one["one"] in systems:
            why = "no verdict, or lengths too far apart to tell length from merit"
            value = Interval(**one[key]) if one[key] else Absent(why)
            better = one["better"] if key == "total" else None
            told = Difference(Interval(**better["interval"]), better["p"]) if better else None
            shown[one["one"]] = Cell(value, told)
    return shown
