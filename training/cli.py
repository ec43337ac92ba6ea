"""The `train` and `data` commands: tables of method → module, recipes in, run folders out.

Knows arguments and exit codes; every method lives in its own file and is imported only when asked for.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from storage.garbage import seldom
from storage.uncompiled import uncompiled
from training.recipes import Recipe, RecipeError, load

# method → (module, recipe class); each module has `main(recipe, storage, presets, resume) -> Path`.
METHODS = {
    "pretrain": ("training.pretrain", "PretrainRecipe"),
    "sft": ("training.sft", "SftRecipe"),
    "starter": ("training.starter_sft", "StarterRecipe"),
    "rlhf": ("training.rlhf", "RlhfRecipe"),
    "classifier": ("training.classifier", "ClassifierRecipe"),
    "reader": ("training.reader", "ReaderRecipe"),
    "starter_classifier": ("training.starter_classifier", "StarterClassifierRecipe"),
    "dpo": ("training.dpo", "DpoRecipe"),
    "simpo": ("training.simpo", "SimpoRecipe"),
    "kto": ("training.kto", "KtoRecipe"),
    "reward": ("training.reward", "RewardRecipe"),
    "gan": ("training.gan", "GanRecipe"),
}


def train(argv: list[str]) -> int:
    """`otklik train METHOD --recipe FILE [--set key=value] [--resume]`, and `otklik train cycle`: a whole refit."""
    if argv[:1] == ["cycle"]:
        from training.cycle import command

        return command.main(argv[1:])
    parser = argparse.ArgumentParser(
        prog="otklik train",
        description="One training run outside the loop.",
        epilog="`otklik train cycle`: a whole refit.",
    )
    parser.add_argument("method", choices=sorted(METHODS))
    parser.add_argument("--recipe", type=Path, required=True, help="YAML file; shipped ones lie in training/recipes")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--resume", action="store_true", help="continue the run of this name from its checkpoint")
    given = parser.parse_args(argv)

    from storage.settings import StorageSettings
    from training import beforehand, presets

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # nobody outside learns who trains what
    # Before anything imports it: an optional kernel for 4-bit weights on CPU is missed without harm.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    module, recipe_class = METHODS[given.method]
    method = importlib.import_module(module)
    settings = StorageSettings()
    recipe: Recipe | None = None
    try:
        recipe = load(getattr(method, recipe_class), given.recipe, given.overrides)
        met = presets.met(settings)
        beforehand.check(given.method, recipe, settings.dir, met, given.resume)
        _quiet()
        folder = method.main(recipe, settings.dir, met, given.resume)
    except (RecipeError, FileNotFoundError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 2
    except Exception as error:
        if not _disk_full(error):
            raise
        where = _fullest((settings.dir, *((recipe.output,) if recipe is not None and recipe.output else ())))
        print(f"the disk of {where} {_full(error)}, then continue with --resume", file=sys.stderr)
        return 3
    print(folder)
    return 0


def _disk_full(error: Exception) -> bool:
    """Whether nothing more can be written: the disk is full, or a quota or a limit of files' size is reached."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    # safetensors and arrow wrap the system's error in their own, with its text.
    return getattr(error, "errno", None) in full or any(os.strerror(one) in str(error) for one in full)


def _full(error: Exception) -> str:
    large = error.errno == errno.EFBIG if isinstance(error, OSError) else os.strerror(errno.EFBIG) in str(error)
    return "takes no file as large: raise the limit (ulimit -f)" if large else "is full: free some space"


def _fullest(places: Sequence[Path]) -> Path:
    """The place with the least room: a result may go to another disk than the run."""

    def room(place: Path) -> int:
        return shutil.disk_usage(next(one for one in (place, *place.absolute().parents) if one.exists())).free

    return min(places, key=room)


def _quiet() -> None:
    from training.quiet import quiet

    quiet()


def data(argv: list[str]) -> int:
    """`otklik data seed|starter|build|preview|check|helpdesk|feedback …`."""
    from training.data import build_command, commands
    from training.data.helpdesk import commands as desks
    from training.data.reading import commands as reading

    table = {"seed": commands.seed, "starter": commands.starter, "build": build_command.build}
    table |= {"preview": reading.preview, "check": reading.check}
    table |= {"helpdesk": desks.helpdesk, "feedback": _feedback}
    if not argv or argv[0] not in table:
        print(f"usage: otklik data {'|'.join(table)} … (each has --help)", file=sys.stderr)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    return table[argv[0]](argv[1:])


def _feedback(argv: list[str]) -> int:
    from training.data.feedback import commands  # reads SQL: heavier than the other commands

    return commands.feedback(argv)


def main(argv: list[str]) -> int:
    """`python -m training.cli train|data …`: the same without the console command."""
    if not argv or argv[0] not in COMMANDS:
        print(f"usage: python -m training.cli {'|'.join(COMMANDS)} …", file=sys.stderr)
        return 2
    return COMMANDS[argv[0]](argv[1:])


COMMANDS = {"train": train, "data": data}

if __name__ == "__main__":
    seldom()
    uncompiled()
    sys.exit(main(sys.argv[1:]))
