"""`otklik data build --recipe FILE --out FOLDER`: arguments in, a prepared set out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.recipes import RecipeError


def build(argv: list[str]) -> int:
    """`otklik data build --recipe FILE --out FOLDER [--set key=value] [--seed N]`: 0, or 2 with a reason."""
    parser = argparse.ArgumentParser(
        prog="otklik data build",
        description="A data recipe → a folder with train.jsonl, held_out.jsonl, manifest.json.",
    )
    parser.add_argument("--recipe", type=Path, required=True, help="YAML file of sources, steps, mix and split")
    parser.add_argument("--out", type=Path, required=True, help="the set's folder; a set that is there is replaced")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0, help="for what is drawn, unless the recipe has a seed")
    given = parser.parse_args(argv)

    from storage.settings import StorageSettings
    from training.data import build as building
    from training.data.data_recipe import load

    try:
        recipe = load(given.recipe, given.overrides)
        built = building.build(recipe, given.out, StorageSettings().load_presets(), given.seed)
    except (RecipeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    for line in building.summary(built.manifest):
        print(line)
    return 0
