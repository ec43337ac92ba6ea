"""What a bench is to do: its recipe file, read and spread into entries. Data and pure decisions; runs nothing.

A recipe has `methods` (named entries), or a `grid` of variants of one method, or figures alone; and `published`, where
figures of a published table are to stand beside ours.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training import recipes
from training.comparison.published import Published
from training.recipes import RecipeError

FOLDER = recipes.FOLDER / "tables"
NAME = r"^[a-z0-9][a-z0-9_-]{0,39}$"


class Part(BaseModel):
    """A run of one method: its recipe file and what is laid over it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    recipe: Path = Field(description="A shipped recipe by its file name, or a file.")
    set: dict[str, Any] = Field(default_factory=dict, description="Keys with dots, as after --set.")

    @property
    def file(self) -> Path:
        """The recipe's file."""
        shipped = recipes.FOLDER / self.recipe
        return shipped if shipped.is_file() else self.recipe


class Entry(Part):
    """One row of the comparison."""

    title: str = ""
    learns: Literal["answers", "pairs", "own"] = Field(
        default="answers", description="Which part of the frozen split; own: the recipe's own data."
    )
    rows: int | None = Field(
        default=None, ge=1, description="Learn from so many rows of the split, chosen by a stable hash; unset: all."
    )
    base: str | None = Field(default=None, description="A base of its own, where entries differ in it.")
    reward: Part | None = Field(
        default=None, description="A reward model that is trained on the pairs first; its folder becomes reward.model."
    )


class Grid(Part):
    """All combinations of the axes' variants; each variant is a name and keys to lay over."""

    axes: tuple[dict[str, dict[str, Any]], ...] = Field(min_length=1)

    def entries(self) -> dict[str, Entry]:
        """Entries by the variants' names, joined by dashes."""
        found: dict[str, Entry] = {}
        for chosen in itertools.product(*(axis.items() for axis in self.axes)):
            keys = {key: value for _, own in chosen for key, value in own.items()}
            name = "-".join(variant for variant, _ in chosen)
            found[name] = Entry(method=self.method, recipe=self.recipe, set={**self.set, **keys}, learns="own")
        return found


class BenchRecipe(BaseModel):
    """A file of `training/recipes/tables`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME)
    seed: int = 0
    base: str | None = Field(default=None, description="What --base stands for where it is not given.")
    data: str | None = Field(default=None, description="What --data stands for where it is not given.")
    prompts: int = Field(default=160, ge=1, description="Held-out prompts that every system answers.")
    most: int = Field(default=64, ge=1, description="New tokens of an answer.")
    greedy: bool = False
    target: int | None = Field(
        default=None, ge=1, description="Wanted length of an answer in tokens, where there is one."
    )
    metrics: tuple[str, ...] | None = Field(default=None, description="Of `otklik evaluate`; unset: all of them.")
    methods: dict[str, Entry] = Field(default_factory=dict)
    grid: Grid | None = None
    published: Published | None = None

    @model_validator(mode="after")
    def _names(self) -> BenchRecipe:
        wrong = [name for name in self.entries() if not name.replace("-", "").replace("_", "").isalnum()]
        if wrong or "base" in self.entries():
            raise ValueError(f"an entry cannot be called {', '.join(wrong) or 'base'}")
        return self

    def entries(self, names: Sequence[str] | None = None) -> dict[str, Entry]:
        """Entries by name, all or those named, in the recipe's order; RecipeError names one that there is not."""
        found = {**self.methods, **(self.grid.entries() if self.grid else {})}
        if names is None:
            return found
        if missing := [name for name in names if name not in found]:
            raise RecipeError(f"--methods: there is no {missing[0]}, only {', '.join(found)}")
        return {name: entry for name, entry in found.items() if name in names}


def load(path: Path, overrides: Sequence[str] = ()) -> BenchRecipe:
    """The bench recipe of a file, shipped ones by their name; RecipeError lists every fault."""
    shipped = FOLDER / path if path.suffix else FOLDER / f"{path}.yaml"
    found: BenchRecipe = recipes.load(cast(Any, BenchRecipe), shipped if shipped.is_file() else path, overrides)
    return found


def overrides(name: str, part: Part, base: str, data: Path | None, seed: int) -> list[str]:
    """What is laid over a part's recipe file: its own keys last but for name, base, data and seed, which are ours."""
    keys: dict[str, Any] = {**part.set, "name": name, "seed": seed, "base": base}
    if data is not None:
        keys["data"] = str(data)
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]


def check(part: Part, laid: Sequence[str]) -> None:
    """RecipeError if the method does not exist or its recipe with `laid` over it is wrong."""
    import importlib

    from training.cli import METHODS

    if part.method not in METHODS:
        raise RecipeError(f"there is no method '{part.method}', only {', '.join(METHODS)}")
    module, kind = METHODS[part.method]
    recipes.load(getattr(importlib.import_module(module), kind), part.file, laid)


def identity(part: Part, laid: Sequence[str]) -> str:
    """A hash of all that a run's result depends on beside the data: method, recipe file, what is laid over it."""
    text = json.dumps([part.method, part.file.read_text(encoding="utf-8"), *laid], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
