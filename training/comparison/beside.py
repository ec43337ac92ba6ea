"""A recipe's published table beside what a bench's folder holds. Reads files; the comparing is `published`'s."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.comparison import published
from training.comparison.plan import BenchRecipe
from training.evaluation.statistics import Interval
from training.evaluation.tables import figure
from training.recipes import RecipeError

COSTS, RATINGS = "costs.json", "ratings.json"


def text(recipe: BenchRecipe, ours: Path | None, language: str = "en") -> str:
    """Markdown; RecipeError if the recipe has no published table or `ours` holds nothing to compare."""
    if recipe.published is None:
        raise RecipeError(f"{recipe.name} has no published figures to compare with")
    if ours is None:
        return published.markdown(recipe.published, {}, {}, language)
    figures: dict[str, dict[str, str]] = {}
    about: dict[str, str] = {}
    if (ours / COSTS).is_file():
        found = json.loads((ours / COSTS).read_text(encoding="utf-8"))
        figures, about = found["figures"], found["about"]
    if (ours / RATINGS).is_file():
        for name, own in rated(json.loads((ours / RATINGS).read_text(encoding="utf-8"))).items():
            figures.setdefault(name, {}).update(own)
    if not figures:
        raise RecipeError(f"--ours: {ours} holds neither a finished bench ({COSTS}) nor people's ratings ({RATINGS})")
    return published.markdown(recipe.published, figures, about, language)


def rated(standings: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Means by system and criterion, and the weighted `total`, of what `otklik ratings` wrote."""
    found: dict[str, dict[str, str]] = {}
    for one in standings:
        means = {name: scored["mean"] for name, scored in one["criteria"].items()}
        if one["total"] is not None:
            means["total"] = one["total"]
        found[one["system"]] = {name: figure(Interval(**value), 2) for name, value in means.items()}
    return found
