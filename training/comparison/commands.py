"""`otklik bench methods|table`: arguments in; adapters, tables, a report and a card out. Knows exit codes.

`methods` trains and compares; `table` prints published figures beside ours from a folder that is there.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from training.comparison import plan
from training.evaluation.metrics.column import Options
from training.recipes import RecipeError


def main(argv: list[str]) -> int:
    """`otklik bench methods|table …`: 0; 1 if an entry could not be trained; 2 with a reason; 3 for a full disk."""
    table: dict[str, Callable[[list[str]], int]] = {"methods": methods, "table": published}
    if not argv or argv[0] not in table:
        print(f"usage: otklik bench {'|'.join(table)} … (each has --help)", file=sys.stderr)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    from models.errors import ModelsError

    try:
        return table[argv[0]](argv[1:])
    except (RecipeError, ModelsError, FileNotFoundError, FileExistsError) as error:
        print(f"otklik bench: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print("the disk is full: free some space, then continue with --resume", file=sys.stderr)
        return 3


def methods(argv: list[str]) -> int:
    """Train every entry of a recipe from one base, compare them, write the report."""
    given = _methods_parser().parse_args(argv)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from models.logs import log_to_stderr

    log_to_stderr()  # before what it keeps quiet is imported
    from training.comparison import bench
    from training.comparison.judging import Asking
    from training.evaluation.metrics import METRICS
    from training.quiet import quiet

    quiet()
    recipe = plan.load(given.recipe, given.overrides)
    how = Asking(
        seed=recipe.seed,
        prompts=recipe.prompts,
        most=recipe.most,
        greedy=recipe.greedy,
        metrics=recipe.metrics or tuple(METRICS),
        options=Options(
            bertscore=given.bertscore,
            bertscore_layer=given.bertscore_layer,
            bleurt=given.bleurt,
            acceptability=given.acceptability,
        ),
        gate=given.gate,
        picker=given.picker,
        texts=given.texts,
        target=recipe.target,
    )
    order = bench.Order(
        recipe=recipe,
        names=[name for name in given.methods.split(",") if name] if given.methods else None,
        base=bench.base_folder(_given("--base", given.base or recipe.base, "a model's folder or hub id")),
        data=_given("--data", given.data or recipe.data, "a prepared set, a data recipe, or `seed`"),
        pairs=given.pairs,
        folder=given.out,
        resume=given.resume,
        language=given.language,
    )
    return bench.run(order, how, lambda line: print(line, file=sys.stderr))


def _given(option: str, value: str | None, what: str) -> str:
    if value is None:
        raise RecipeError(f"this recipe leaves {option} to you: {what}")
    return value


def _methods_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otklik bench methods",
        description="Train methods from one base on one frozen split, one process each, and compare them.",
    )
    add = parser.add_argument
    add("--recipe", type=Path, default=Path("methods"), help="bench recipe: a file, or one of training/recipes/tables")
    add("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="methods.sft.set.steps=50")
    add("--methods", metavar="A,B", help="entries of the recipe; default: all")
    add("--base", help="model that all begin from: folder, hub id, or `bundled`; default: the recipe's")
    add("--data", help="prepared set of answers or pairs, data recipe (.yaml), or `seed`; default: the recipe's")
    add("--pairs", metavar="SET", help="pairs for dpo, simpo and kto, where --data holds single answers")
    add("--out", type=Path, default=Path("var/bench/methods"), help="folder to write")
    add("--resume", action="store_true", help="go on with what was begun in --out; what is finished stays")
    add("--language", choices=("en", "ru"), default="ru", help="of report, card and table")
    add("--gate", default="seed", help="independent emotion classifier: folder, hub id, seed, judge:FOLDER, none")
    add("--picker", default="bundled", help="classifier whose reward may be hacked: folder, hub id, bundled, none")
    add("--texts", type=Path, help="plain texts: perplexity on them tells what was forgotten")
    for name in ("bertscore", "bleurt", "acceptability"):
        add(f"--{name}", metavar="WHERE", help="folder or hub id; unset: the row says «not available»")
    add("--bertscore-layer", type=int)
    return parser


def published(argv: list[str]) -> int:
    """Print the published figures of a recipe beside ours."""
    parser = argparse.ArgumentParser(
        prog="otklik bench table",
        description="Published figures beside ours, what differs, and whether the published ones agree.",
    )
    parser.add_argument("recipe", type=Path, help="a file, or one of training/recipes/tables: tofu, desk, …")
    parser.add_argument(
        "--ours", type=Path, metavar="FOLDER", help="of `otklik bench methods` or `otklik ratings --out`"
    )
    parser.add_argument("--language", choices=("en", "ru"), default="ru")
    given = parser.parse_args(argv)
    from training.comparison import beside

    print(beside.text(plan.load(given.recipe), given.ours, given.language), end="")
    return 0
