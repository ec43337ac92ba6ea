"""`otklik data build --recipe FILE --out FOLDER`: arguments in, a prepared set out."""

from __future__ import annotations

import argparse
import errno
import sys
from pathlib import Path

from training.recipes import RecipeError


def build(argv: list[str]) -> int:
    """`otklik data build --recipe FILE --out FOLDER [--set key=value] [--seed N]`: 0, or 2 with a reason."""
    parser = argparse.ArgumentParser(
        prog="otklik data build",
        description="A data recipe → a folder with train.jsonl, held_out.jsonl, manifest.json.",
    )
    parser.add_argument("--recipe", type=Path, help="YAML file of sources, steps, mix and split")
    parser.add_argument("--out", type=Path, help="the set's folder; a set that is there is replaced")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0, help="for what is drawn, unless the recipe has a seed")
    parser.add_argument("--steps", action="store_true", help="list all steps with their keys, and do nothing")
    given = parser.parse_args(argv)
    if given.steps:
        print("\n".join(step_lines()))
        return 0
    if not given.recipe or not given.out:
        parser.error("--recipe and --out are needed")

    from storage.settings import StorageSettings
    from training.data import build as building
    from training.data.data_recipe import load

    try:
        recipe = load(given.recipe, given.overrides)
        built = building.build(recipe, given.out, StorageSettings().load_presets(), given.seed)
    except (RecipeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"the disk of {given.out} is full: free some space and start again", file=sys.stderr)
        return 3
    for line in building.summary(built.manifest):
        print(line)
    return 0


def step_lines() -> list[str]:
    """Every step with what it does and its keys, for people."""
    from training.data.steps.table import STEPS

    lines: list[str] = []
    for name, kind in sorted(STEPS.items()):
        lines.append(f"{name}: {(kind.__doc__ or '').splitlines()[0]}")
        for key, field in kind.model_fields.items():
            if key != "step":
                value = "needed" if field.is_required() else f"default {field.get_default(call_default_factory=True)!r}"
                lines.append(f"    {key} ({value}) {field.description or ''}".rstrip())
    return lines
