"""From a plan to finished worlds: who takes part, what is asked, in which order worlds are lived. Composition only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from training.cycle.places import read_json, write_json
from training.evaluation import gate as gates
from training.simulation import material
from training.simulation.measuring import Judges
from training.simulation.people import make_people
from training.simulation.plan import ADVERSARIAL, Plan
from training.simulation.rounds import Simulation
from training.simulation.talking import Crowd


class OtherPlan(ValueError):
    """The folder holds another simulation, which this one must not be mixed with."""


def prepare(folder: Path, plan: Plan) -> tuple[Simulation, dict[str, Crowd]]:
    """The simulation and the crowd of each kind of world. OtherPlan if the folder was begun with another plan."""
    _same_plan(folder, plan)
    found = material.gather()
    taster = material.make_taster()
    # Everybody's true taste judges, also of those who will rate the wrong way round: they are the same people.
    honest = make_people(plan.people, plan.seed)
    bad = make_people(plan.people, plan.seed, agreeable=plan.agreeable, inverted=plan.inverted)
    judges = Judges.make(honest, taster, gates.load(gates.SEED))
    simulation = Simulation(folder, plan, material.questions(found, plan.questions), judges)
    crowds = {"": Crowd(plan, honest, found, taster), ADVERSARIAL: Crowd(plan, bad, found, taster)}
    return simulation, crowds


def live(folder: Path, plan: Plan, worlds: Sequence[str]) -> Simulation:
    """Live these worlds one after another, as far as they are not over."""
    simulation, crowds = prepare(folder, plan)
    for name in worlds:
        asyncio.run(simulation.live(name, crowds.get(name, crowds[""])))
    return simulation


def _same_plan(folder: Path, plan: Plan) -> None:
    path = folder / "plan.json"
    known = read_json(path)
    if known is not None and Plan.model_validate(known) != plan:
        raise OtherPlan(f"{folder} holds a simulation with another plan: name another folder, or the same options")
    if known is None:
        write_json(path, plan.model_dump(mode="json"))
