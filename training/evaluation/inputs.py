"""What an evaluation is given: prompts of a frozen set, plain texts, answers that are there already. Asks no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from storage.presets import Presets
from training.evaluation import samples
from training.evaluation.samples import Sample
from training.recipes import RecipeError

if TYPE_CHECKING:
    from training.data.data_recipe import DataRecipe
    from training.evaluation.answering import Asked

SEED = "seed"


def asked(data: str, storage: Path, presets: Presets, seed: int = 0, most: int | None = None) -> list[Asked]:
    """The prompts of a set's held-out answers: `data` is a prepared set's folder, a data recipe's file (built once), or
    `seed`, the bundled corpus. RecipeError if it is none of these or holds no answers."""
    from training.data import build
    from training.data.data_recipe import DataRecipe
    from training.data.rows import Answer
    from training.evaluation import answering

    source: DataRecipe | Path = Path(data)
    if data == SEED:
        source = DataRecipe.model_validate({"sources": {SEED: {"read": SEED}}, "split": {"by": "tag"}})
    return answering.ask(build.prepared(source, storage, presets, seed).held_out(Answer), presets, most)


def texts(path: Path, most: int, presets: Presets) -> list[str]:
    """The first texts of a file; RecipeError if there is none."""
    from training.data.reading import Source, open_source
    from training.data.rows import Text

    found = [
        row.text for row in open_source(Source(path=path, read="text", limit=most), presets) if isinstance(row, Text)
    ]
    if not found:
        raise RecipeError(f"--texts: there is no text in {path}")
    return found


def ready(files: Sequence[Path], taken: set[str]) -> dict[str, list[Sample]]:
    """The samples of files by the system that they name; RecipeError if a system is given twice."""
    found: dict[str, list[Sample]] = {}
    for file in files:
        own: dict[str, list[Sample]] = {}
        for one in samples.read(file):
            own.setdefault(one.system, []).append(one)
        if twice := sorted(own.keys() & (taken | found.keys())):
            raise RecipeError(f"{file} holds answers of {twice[0]}, which another --system or --samples gives too")
        found |= own
    return found
