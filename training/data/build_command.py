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
        from training.data.page import steps_page

        print(steps_page())
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
