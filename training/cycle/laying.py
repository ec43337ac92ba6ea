"""The recipe that a job's method runs with: the shipped or the operator's, with the job's base, start and set laid
over it. Knows recipes; neither trainers nor where the set came from.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import yaml

from models.settings import BUNDLED, STARTER
from training import recipes
from training.cycle.order import Order
from training.cycle.places import JobFolder

SHIPPED = recipes.FOLDER / "refit"
# So often every row is seen where the recipe's steps would allow for more: few rows are soon learned by heart.
PASSES = 3
LEAST_STEPS = 20
# Keys that a refit sets itself: its folder, what it starts from and what it learns.
OWN = ("name", "base", "adapter", "data", "output")


def base_path(base: str) -> str:
    """Where a base lies: the starter's folder, or what is named."""
    return str(STARTER / "base") if base == BUNDLED else base


def recipe_file(order: Order, method: str) -> Path:
    """The recipe to begin with: the job's own, the settings', or the shipped one for this base."""
    if order.recipe is not None and method != "reward":
        return order.recipe
    if method in order.settings.recipes:
        return order.settings.recipes[method]
    return SHIPPED / (f"{method}_starter.yaml" if order.base == BUNDLED else f"{method}.yaml")


def lay(order: Order, folder: JobFolder, method: str, rows: int) -> Path:
    """Write the job's recipe, every fault told before anything is trained; RecipeError lists them."""
    if taken := [key for key in order.overrides if key.split(".")[0] in OWN]:
        raise recipes.RecipeError(f"{', '.join(taken)}: a refit sets this itself; leave it out of its overrides")
    path = recipe_file(order, method)
    raw = _read(path)
    raw |= {"name": "refit", "base": base_path(order.base), "data": str(folder.path / f"mixed_{method}")}
    raw.pop("output", None)
    raw["threads"] = order.settings.threads
    if order.start.folder is not None:
        raw["adapter"] = str(order.start.folder)
        raw.pop("lora", None)
    else:
        raw.pop("adapter", None)
    if method == "rlhf":
        raw["reward"] = {**raw.get("reward", {}), "model": str(folder.adapter("reward"))}
    if raw.get("steps"):
        a_step = int(raw.get("rows", 8)) * int(raw.get("accumulate", 1))
        raw["steps"] = min(int(raw["steps"]), max(LEAST_STEPS, math.ceil(rows * PASSES / a_step)))
    fresh = folder.recipe(method)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    overrides = [f"{key}={value}" for key, value in order.overrides.items()] if method != "reward" else []
    fresh.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    _check(method, fresh, overrides, path)
    return fresh


def _check(method: str, fresh: Path, overrides: list[str], source: Path) -> None:
    """Read the recipe as the method will, and keep it with the overrides in it."""
    from training.cli import METHODS

    module, kind = METHODS[method]
    try:
        recipe = recipes.load(getattr(importlib.import_module(module), kind), fresh, overrides)
    except recipes.RecipeError as error:
        raise recipes.RecipeError(f"recipe of this refit, from {source}:\n{error}") from None
    text = yaml.safe_dump(recipe.model_dump(mode="json", exclude_unset=True), allow_unicode=True, sort_keys=False)
    fresh.write_text(text, encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise recipes.RecipeError(f"recipe {path} does not exist; name another in TRAINING_RECIPES") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        raise recipes.RecipeError(f"recipe {path} is no YAML file in UTF-8: {error}") from None
    if not isinstance(raw, dict):
        raise recipes.RecipeError(f"recipe {path} must be a mapping of keys to values")
    return raw


def steps_of(folder: JobFolder, method: str) -> int | None:
    """How many steps the job's recipe has; None where it counts in epochs."""
    path = folder.recipe(method)
    raw = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    steps = raw.get("steps") if isinstance(raw, dict) else None
    return int(steps) if steps else None
