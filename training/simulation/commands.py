"""`otklik simulate`: live the worlds, write the report. Knows the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from training.simulation.errors import SimulationError
from training.simulation.plan import SHORT, WORLDS, Plan

DESCRIPTION = """Synthetic people with known tastes talk through the real queue to the real worker; the loop refits by
itself. Measures every round against a control without refits and against the best possible choice. Go on with a
simulation that was stopped by the same command."""


def main(argv: list[str]) -> int:
    """Entry of `otklik simulate`. 0: lived and reported; 1: a claim does not hold (`--strict`); 2: stopped."""
    options = _parser().parse_args(argv)
    plan = _plan(options)
    _keep_quiet()
    from training.simulation import running
    from training.simulation.reporting import write

    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    worlds = [name for name in WORLDS if name in options.worlds]
    try:
        simulation = running.live(folder, plan, worlds)
    except SimulationError as error:
        print(f"otklik simulate: {error}", file=sys.stderr)
        return 2
    figures = write(simulation)
    print(f"report: {folder / 'report.md'}")
    for name, holds in figures["claims"].items():
        print(f"{name}: {'yes' if holds else 'no'}")
    return 1 if options.strict and not all(figures["claims"].values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otklik simulate", description=DESCRIPTION)
    parser.add_argument("--out", type=Path, default=Path("var/simulation"), help="folder of worlds and report")
    parser.add_argument("--short", action="store_true", help="few people, one round: does the loop go round at all")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS), help="which to live (default all)")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if a claim does not hold")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of the plan, such as people=48 or rounds=3"
    )
    parser.add_argument(
        "--trainer", action="append", default=[], metavar="TRAINING_…=VALUE", help="a setting of the trainer"
    )
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    """The plan with what was set; pydantic's ValidationError names what is wrong."""
    values: dict[str, Any] = (SHORT if options.short else Plan()).model_dump()
    values |= dict(_pairs(options.set, "--set"))
    values["trainer"] = values["trainer"] | dict(_pairs(options.trainer, "--trainer"))
    return Plan.model_validate(values)


def _pairs(given: list[str], option: str) -> list[tuple[str, str]]:
    found = [one.partition("=") for one in given]
    if wrong := [name for name, equals, _ in found if not equals]:
        sys.exit(f"otklik simulate: {option} {wrong[0]}: write KEY=VALUE")
    return [(name, value) for name, _, value in found]


def _keep_quiet() -> None:
    """Logs go to stderr: the report's place is what stdout tells."""
    import structlog

    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
