"""From a plan to finished worlds: who takes part, what is asked, in which order worlds are lived. Composition only."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from training.cycle.places import read_json, write_json
from training.evaluation import gate as gates
from training.simulation import material
from training.simulation.errors import OtherPlan, Stopped
from training.simulation.measuring import Judges
from training.simulation.people import make_people
from training.simulation.plan import ADVERSARIAL, Plan
from training.simulation.rounds import Simulation
from training.simulation.talking import Crowd


def prepare(folder: Path, plan: Plan) -> tuple[Simulation, dict[str, Crowd]]:
    """The simulation and the crowd of each kind of world. OtherPlan if the folder was begun with another plan."""
    keep_plan(folder, plan)
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
        asyncio.run(_stoppable(simulation.live(name, crowds.get(name, crowds[""]))))
    return simulation


async def _stoppable(life: Coroutine[Any, Any, object]) -> None:
    """Live until the end or a signal; either way the world's processes are stopped."""
    task = asyncio.ensure_future(life)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        raise Stopped("stopped; the same command goes on where it was") from None


def keep_plan(folder: Path, plan: Plan) -> None:
    """Write the plan of a new folder; OtherPlan if it has a different one."""
    path = folder / "plan.json"
    known = read_json(path)
    if known is not None and Plan.model_validate(known) != plan:
        raise OtherPlan(f"{folder} holds a simulation with another plan: name another folder, or the same options")
    if known is None:
        write_json(path, plan.model_dump(mode="json"))
