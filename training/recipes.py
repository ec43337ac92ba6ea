"""Recipes are data: YAML read into a method's own pydantic class, with `--set key=value` laid over it.

Knows no method. All errors of a recipe are reported at once, each with the key that it concerns.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import structlog
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

log = structlog.get_logger(__name__)

# Group → keys that may name a folder or a file.
PLACES = {"": ("base", "adapter", "init", "data"), "reward": ("emotion", "model", "model_base")}
FOLDER = Path(__file__).with_name("recipes")
# What the field's other programs call our keys.
ELSEWHERE = {
    "lr": "learning_rate",
    "batch_size": "rows",
    "per_device_train_batch_size": "rows",
    "gradient_accumulation_steps": "accumulate",
    "max_steps": "steps",
    "num_train_epochs": "epochs",
    "max_length": "longest",
    "max_seq_length": "longest",
}


class RecipeError(ValueError):
    """A recipe file or an override is wrong; the message lists every fault."""


class Recipe(BaseModel):
    """What every method's recipe has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$", description="Name of the run's folder.")
    seed: int = 0
    threads: int = Field(default=1, ge=0, le=64, description="CPU threads; 0 chooses one or two by measuring.")
    output: Path | None = Field(
        default=None, description="Where the finished weights go; unset: only the run's folder."
    )


AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)


def load(kind: type[AnyRecipe], path: Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """The recipe of a file with `key=value` overrides (nested keys with dots, values as YAML).

    Bases, adapters and data that lie beside the file are found there, wherever the command runs.
    """
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"recipe {path} does not exist; shipped ones lie in {FOLDER}") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as error:
        raise RecipeError(f"recipe {path} is no YAML file in UTF-8: {error}") from None
    if not isinstance(raw, dict):
        raise RecipeError(f"recipe {path} must be a mapping of keys to values")
    _beside(raw, path.parent)
    for override in overrides:
        _lay(raw, override)
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        faults = "\n".join(
            f"  {'.'.join(map(str, one['loc']))}: {one['msg']}{_meant(kind, one['loc'])}" for one in error.errors()
        )
        raise RecipeError(f"recipe {path}:\n{faults}") from None


def _meant(kind: type[BaseModel], loc: Sequence[int | str]) -> str:
    """«; did you mean …?» for a key that a group of the recipe does not have but nearly has."""
    group, keys = kind, [str(one) for one in loc]
    for name in keys[:-1]:
        field = group.model_fields.get(name)
        types = (field.annotation, *get_args(field.annotation)) if field else ()
        groups = [one for one in types if isinstance(one, type) and issubclass(one, BaseModel)]
        if len(groups) != 1:
            return ""
        group = groups[0]
    known, key = group.model_fields, keys[-1] if keys else ""
    if key in known:
        return ""
    near = [ELSEWHERE[key]] if ELSEWHERE.get(key) in known else get_close_matches(key, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _beside(raw: dict[str, Any], folder: Path) -> None:
    """Relative places of what a recipe begins from: beside the recipe if they are there, else where the command runs.

    Those laid over it are the command's own and stay as they are.
    """
    for group, names in PLACES.items():
        keys: Any = raw.get(group) if group else raw
        for name in names if isinstance(keys, dict) else ():
            value = keys.get(name)
            if not isinstance(value, str) or not value or Path(value).is_absolute():
                continue
            beside = folder / value
            if beside.exists():
                keys[name] = str(beside.resolve())
                log.info("taken_from_beside_the_recipe", key=name, place=keys[name])


def _lay(raw: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: write it as key=value")
    target: Any = raw
    *parents, last = key.split(".")
    for parent in parents:
        target = _inner(target, parent, override)
    if isinstance(target, list):
        target[_place(target, last, override)] = yaml.safe_load(value)
    else:
        target[last] = yaml.safe_load(value)


def _inner(target: Any, name: str, override: str) -> Any:
    inner = target[_place(target, name, override)] if isinstance(target, list) else target.setdefault(name, {})
    if not isinstance(inner, dict | list):
        raise RecipeError(f"--set {override}: '{name}' is not a group of keys")
    return inner


def _place(target: list[Any], name: str, override: str) -> int:
    if not name.isdigit() or int(name) >= len(target):
        raise RecipeError(f"--set {override}: '{name}' is no place in a list of {len(target)}, counted from 0")
    return int(name)
