"""Writes a simulation's results: `results.json`, `report.md`, `rounds.png`. Knows where; figures and words come from
elsewhere."""

from __future__ import annotations

from typing import Any

from training.cycle.places import write_json
from training.simulation import figures, plots, report
from training.simulation.plan import WORLDS
from training.simulation.rounds import Simulation

PICTURE = "rounds.png"


def write(simulation: Simulation) -> dict[str, Any]:
    """Write what is known so far; the figures."""
    stories = [simulation.story(name) for name in WORLDS]
    found = figures.gather(simulation.plan, stories, simulation.measured)
    write_json(simulation.folder / "results.json", found)
    if found["worlds"]:
        plots.draw(found, simulation.folder / PICTURE)
    (simulation.folder / "report.md").write_text(report.text(found, PICTURE), encoding="utf-8")
    return found
