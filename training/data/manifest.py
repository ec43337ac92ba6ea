"""What a set was made of and by what, without a clock: hashes of inputs, versions of tools, counts of steps.

The same recipe over the same files gives the same manifest, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training.data.data_recipe import DataRecipe, Feed
from training.data.reading import hashes
from training.data.sources import sha256
from training.data.steps.part import Input, Part

# Raised when a step gives other rows for the same recipe: no set of an older version is taken for a new one.
VERSION = 3


def parts(recipe: DataRecipe) -> dict[str, tuple[Part, ...]]:
    """Steps by where they stand: a source's name, or `` for all rows."""
    return {**{name: feed.steps for name, feed in recipe.sources.items()}, "": recipe.steps}


def inputs(recipe: DataRecipe) -> dict[str, Any]:
    """Hashes of all that is read: sources with their files, and the folders that steps use."""
    used = {one.place: hashed(one) for part in _every(recipe) for one in part.inputs()}
    return {
        "sources": {name: _source(feed) for name, feed in recipe.sources.items()},
        **({"used": used} if used else {}),
    }


def tools(recipe: DataRecipe) -> dict[str, str]:
    """Versions of what shapes rows: Unicode's tables, and the packages of the steps in use."""
    names = sorted({name for one in _every(recipe) for name in one.tools()})
    return {"steps": str(VERSION), "unicode": unicodedata.unidata_version, **{name: _version(name) for name in names}}


def identity(recipe: DataRecipe, read: Mapping[str, Any], presets: Presets, seed: int) -> str:
    """The name of a set: a hash over the recipe, what it reads, the tools, the presets and the seed."""
    whole = {
        "recipe": recipe.model_dump(mode="json"),
        "read": read,
        "tools": tools(recipe),
        "presets": presets.model_dump(mode="json"),
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def hashed(one: Input) -> str:
    """A hash over names and contents of a folder's files that matter; a hub id, which is no folder, as it is."""
    folder = Path(one.place)
    if not folder.is_dir():
        return f"hub:{one.place}"
    found = {path for pattern in one.patterns for path in folder.glob(pattern) if path.is_file()}
    content = {path.name: sha256(path) for path in sorted(found)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _every(recipe: DataRecipe) -> Iterable[Part]:
    return (one for steps in parts(recipe).values() for one in steps)


def _source(feed: Feed) -> dict[str, Any]:
    entry: dict[str, Any] = {"sha256": hashes(feed.source)}
    return {**entry, "licence": feed.licence} if feed.licence else entry


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
