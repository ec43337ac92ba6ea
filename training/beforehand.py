"""What can be told of a run before the libraries of models are imported: base, layers, adapter, place, kinds of rows.

Importing and loading take half a minute on a slow machine; who misspelt a folder should not wait for it. Only what is
surely wrong is refused here: loading and preparing check everything again. Knows what each method learns from, nothing
of how.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training import base_files, bases
from training.base_files import BadFiles, Inside
from training.base_names import BaseMissing, cached_config, commit
from training.bases import Lora
from training.data import corpus, sets, sources
from training.data.data_recipe import DataRecipe, Feed
from training.data.data_recipe import load as load_data
from training.data.reading import open_source
from training.data.rows import Row, parse
from training.preferences import require_adapter
from training.pretrain import PretrainRecipe
from training.recipes import Recipe, RecipeError
from training.rlhf import RlhfRecipe
from training.runs import check_new
from training.scoring import RewardKeys

# Method → kinds of rows that it learns from; the others read no rows of a data recipe.
LEARNS = {
    "sft": ("answer",),
    "gan": ("answer",),
    "dpo": ("pair",),
    "simpo": ("pair",),
    "reward": ("pair",),
    "kto": ("feedback",),
    "rlhf": ("answer", "pair", "feedback"),
    "classifier": ("text", "answer"),
}
WRITING = ("sft", "gan", "dpo", "simpo", "kto", "rlhf")
ROWS_LOOKED_AT = 20
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")


def check(method: str, recipe: Recipe, storage: Path, presets: Presets, resume: bool) -> None:
    """RecipeError, BaseMissing, FileExistsError or FileNotFoundError for what cannot come to a good end."""
    check_new(storage, method, recipe, resume)
    base = getattr(recipe, "base", None)
    adapter = getattr(recipe, "adapter", None)
    if adapter is not None:
        require_adapter(adapter)
    if base is not None:
        inside = look_at(str(base), getattr(recipe, "revision", None))
        if inside is not None and inside.encoder and method in WRITING:
            raise RecipeError(
                f"base: {base} is an encoder ({inside.encoder}), which writes no answers: take a causal model; "
                "`otklik train classifier` tunes encoders"
            )
        lora = getattr(recipe, "lora", None)
        if isinstance(lora, Lora) and adapter is None:
            check_targets(lora, inside)
    if isinstance(recipe, RlhfRecipe):
        check_reward(recipe.reward)
    if isinstance(recipe, PretrainRecipe):
        check_corpus(recipe)
    if method in LEARNS:
        check_rows(method, recipe, presets)


def look_at(base: str, revision: str | None = None) -> Inside | None:
    """What is known of a base without loading it; None if that is nothing yet. BaseMissing if it cannot be one."""
    folder = Path(base)
    if folder.is_dir():
        try:
            return base_files.look(folder)
        except BadFiles as error:
            raise BaseMissing(f"base: {error}") from None
    if folder.exists():
        raise BaseMissing(f"base: {base} is a file; give the folder that holds it, with config.json and the tokenizer")
    if not _HUB.fullmatch(base) or base.startswith("."):
        beside = base_files.models_beside(folder)
        near = f"; models in {folder.parent}: {', '.join(beside)}" if beside else ""
        raise BaseMissing(f"base: there is no folder {base}{near}")
    commit(base, revision)
    config = cached_config(base, revision)
    return base_files.cached(config.parent) if config else None


def check_targets(lora: Lora, inside: Inside | None) -> None:
    """RecipeError naming the targets that no layer of the base is called, and what there is."""
    if isinstance(lora.targets, str) or inside is None:
        return
    if wrong := inside.lacks(lora.targets):
        raise bases.no_such_layers(wrong, inside.names())


def check_reward(reward: RewardKeys) -> None:
    """RecipeError if the folder of a reward model or of a classifier holds none; hub ids are loading's to find."""
    if reward.model is not None:
        bases.require_folder(reward.model, "reward.model")
    if reward.emotion is not None and (Path(reward.emotion).is_dir() or not _HUB.fullmatch(reward.emotion)):
        bases.require_folder(Path(reward.emotion), "reward.emotion")


def check_corpus(recipe: PretrainRecipe) -> None:
    """MissingData or RecipeError for what pre-training reads and is not there."""
    known = (*sources.FILES, *corpus.SEEDS)
    names = {**recipe.mix, **recipe.final_mix}
    if strange := sorted(set(names) - set(known)):
        raise RecipeError(f"mix: there is no source called {', '.join(strange)}; there are {', '.join(known)}")
    for name in corpus.files(names):
        if not (recipe.data / sources.FILES[name]).is_file():
            raise sources.MissingData(recipe.data / sources.FILES[name])
    if recipe.init is not None:
        look_at(str(recipe.init))


def check_rows(method: str, recipe: Recipe, presets: Presets) -> None:
    """RecipeError if the first rows of a source are of a kind that the method cannot learn from."""
    wanted = LEARNS[method]
    if method == "kto" and getattr(recipe, "pairs", False):
        wanted = (*wanted, "pair")
    data: Any = getattr(recipe, "data", None)
    if isinstance(data, Path) and data.suffix not in (".yaml", ".yml"):
        for row in _prepared(data):
            if _kind(row) not in wanted:
                raise RecipeError(f"data: {data / sets.TRAIN} has {_told(method, _kind(row), wanted)}")
        return
    found = load_data(data) if isinstance(data, Path) else data
    for name in found.order:
        if not isinstance(found.mix, dict) or found.mix[name] > 0:
            _check_source(method, found, name, wanted, presets)


def _check_source(method: str, data: DataRecipe, name: str, wanted: tuple[str, ...], presets: Presets) -> None:
    feed: Feed = data.sources[name]
    steps = {step.step for step in (*feed.steps, *data.steps)}
    if feed.source.hub:
        return  # fetching takes longer than is worth it here
    if feed.source.read == "seed":
        kinds: set[str] = {feed.source.kind or "answer"}
        reader = "seed"
    else:
        rows = open_source(feed.source, presets)
        kinds = {_kind(row) for row in islice(rows.outcomes(), ROWS_LOOKED_AT) if isinstance(row, Row)}
        reader = rows.reader
    if reader == "rows" and steps:
        return  # rows of several kinds may stand in one file, and a step may take out those that do not fit
    if "answers" in steps and "dialogue" in kinds:
        kinds = kinds - {"dialogue"} | {"answer"}
    if wrong := sorted(kinds - set(wanted)):
        whole = f"source '{name}' ({feed.source.name}, read as {reader})"
        raise RecipeError(f"data: {whole} has {_told(method, wrong[0], wanted)}")


def _prepared(folder: Path) -> Iterator[Row]:
    sets.require(folder)
    with (folder / sets.TRAIN).open("rb") as lines:
        for line in islice(lines, ROWS_LOOKED_AT):
            try:
                yield parse(line)
            except ValueError:
                return  # its hash tells it: `sets.load`


def _told(method: str, kind: str, wanted: tuple[str, ...]) -> str:
    return f"rows of kind '{kind}', {method} learns from {' or '.join(map(repr, wanted))}; {_advice(kind, wanted)}"


def _advice(kind: str, wanted: tuple[str, ...]) -> str:
    if kind == "dialogue" and "answer" in wanted:
        return "add the step `answers`, or `kind: answer` where the reader is chat"
    if kind == "pair" and wanted == ("feedback",):
        return "set `pairs: true` to take a pair as a liked answer and a disliked one"
    takers = [method for method, kinds in LEARNS.items() if kind in kinds]
    return f"rows of kind '{kind}' are for {', '.join(takers) or 'the step `answers`'}"


def _kind(row: Row) -> str:
    return str(type(row).model_fields["kind"].default)
