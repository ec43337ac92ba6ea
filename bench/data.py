"""Data: how time and memory of a prepared set grow with its rows, side by side in one run.

    python -m bench.data                               # 20,000 against 100,000 dialogues
    python -m bench.data --rows 100000 1000000         # the figures of docs/measurements.md; 3 GB of disk for a while

Dialogues of four to eight turns are put together from the seed corpus; one in twenty repeats an earlier one, one in
twenty differs from it by a word. Each size is built in a process of its own, by a recipe that cleans, drops exact and
near duplicates, keeps a window of lengths, shuffles and splits by person with the leakage check. Printed are rows a
second and peak resident memory of each size, and their ratios. The rows' own file is not counted as time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.contracts import Turn
from training.data import seed_corpus
from training.data.rows import Dialogue, dump

PEOPLE = 5000
STEPS: list[Any] = [
    "clean",
    "strip_markup",
    "answered",
    "exact_duplicates",
    {"step": "near_duplicates", "threshold": 0.8},
    {"step": "length", "min": 40, "max": 4000},
    "shuffle",
]
# Measured inside: how long the build took, and the most memory that the process ever held.
BUILD = """
import json, resource, sys, time
from pathlib import Path
from storage.presets import load_presets
from training.data.build import build
from training.data.data_recipe import DataRecipe
recipe = DataRecipe.model_validate_json(sys.argv[1])
started = time.monotonic()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
built = build(recipe, Path(sys.argv[2]), load_presets())
seconds, cpu = time.monotonic() - started, time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {"seconds": seconds, "cpu": cpu, "before": before / 1024, "peak": peak / 1024}
print(json.dumps({**found, "set": dict(built.manifest)}))
"""


def dialogues(count: int, seed: int = 0) -> Iterator[Dialogue]:
    """Dialogues of the seed corpus's own lines; a twentieth repeated, a twentieth with one word more."""
    chooser = random.Random(seed)
    rows = seed_corpus.load()
    recent: list[tuple[Turn, ...]] = []
    for number in range(count):
        draw = chooser.random()
        if recent and draw < 0.1:
            turns = chooser.choice(recent)
            if draw < 0.05:
                turns = (*turns[:-1], Turn(role="assistant", text=turns[-1].text + " Вот."))
        else:
            picked = [chooser.choice(rows) for _ in range(chooser.randint(2, 4))]
            pairs = ((("user", row.turns[-1].text), ("assistant", row.reply)) for row in picked)
            turns = tuple(Turn.model_validate({"role": role, "text": text}) for pair in pairs for role, text in pair)
            recent = [*recent[-499:], turns]
        yield Dialogue(turns=turns, person=f"u{chooser.randrange(PEOPLE)}", origin=f"made:{number}")


@dataclass(frozen=True)
class Build:
    """What one build took: seconds, MiB, and what came of it."""

    rows: int
    megabytes: float
    seconds: float
    cpu: float
    before: float
    peak: float
    set: dict[str, Any]


def measure(count: int, folder: Path, steps: list[Any]) -> Build:
    """Seconds on the clock and of the processor, MiB before and at the peak, the manifest; a process of its own."""
    source, out = folder / f"{count}.jsonl", folder / f"set{count}"
    with source.open("w", encoding="utf-8") as lines:
        lines.writelines(dump(row) + "\n" for row in dialogues(count))
    recipe = {"sources": {"made": {"path": str(source), "read": "rows"}}, "steps": steps, "split": {"by": "person"}}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", BUILD, json.dumps(recipe), str(out)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Build(count, source.stat().st_size / 1e6, **json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Two sizes, one after the other, and how they compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, nargs=2, default=(20_000, 100_000), metavar=("FEW", "MANY"))
    parser.add_argument("--without", nargs="*", default=[], metavar="STEP", help="steps to leave out")
    given = parser.parse_args()
    steps = [step for step in STEPS if (step if isinstance(step, str) else step["step"]) not in given.without]
    with tempfile.TemporaryDirectory() as folder:
        few, many = (measure(count, Path(folder), steps) for count in given.rows)
    for one in (few, many):
        print(
            f"{one.rows:>9,} rows, {one.megabytes:,.0f} MB: {one.seconds:,.1f} s ({one.cpu:,.1f} s of processor), "
            f"peak {one.peak:,.0f} MiB, {one.before:,.0f} before"
        )
    for step in many.set["steps"]:
        print(f"    {step['step']}: {step['in']:,} → {step['out']:,}")
    print(f"rows: {many.rows / few.rows:.1f} ×")
    print(f"rows a second of processor: {few.rows / few.cpu:,.0f} and {many.rows / many.cpu:,.0f}")
    print(f"rows a second: {(many.rows / many.seconds) / (few.rows / few.seconds):.2f} × by the clock, ", end="")
    print(f"{(many.rows / many.cpu) / (few.rows / few.cpu):.2f} × by the processor")
    print(f"peak memory: {many.peak / few.peak:.2f} ×")


if __name__ == "__main__":
    main()
