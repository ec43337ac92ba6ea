"""`DataRecipe`: where rows come from, which steps they go through, how they are mixed and split. Data, no doing.

As a file of its own for `otklik data build`, or under `data:` of a tuning recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.data.reading import Source
from training.data.steps.table import AnyStep
from training.recipes import load as load_recipe


class Feed(BaseModel):
    """One source and what is done to its rows alone. In a file its keys stand beside those of the source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    steps: tuple[AnyStep, ...] = ()
    licence: str = Field(default="", description="Goes into the manifest as it is.")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or "source" in raw:
            return raw
        own = {key: raw[key] for key in ("steps", "licence") if key in raw}
        return {"source": {key: value for key, value in raw.items() if key not in own}, **own}


class Split(BaseModel):
    """What is held out: whole persons or whole prompts by a stable hash, or the rows that are tagged so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Literal["person", "prompt", "tag"] = Field(
        default="person",
        description="Rows of nobody go by their prompt. `tag`: rows tagged `split: held_out`, as the seed corpus is.",
    )
    held_out: float = Field(default=0.1, ge=0, lt=1)
    persons: Literal["apart", "shared"] = Field(
        default="apart", description="`shared`: unless split by it, a person may be on both sides."
    )
    near: float | None = Field(
        default=0.8,
        gt=0,
        le=1,
        description="From which likeness on to a training prompt a held-out row is dropped; null: only the same ones.",
    )


class DataRecipe(BaseModel):
    """Rows in, a prepared set out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[str, Feed] = Field(min_length=1)
    mix: Literal["sequential"] | tuple[str, ...] | dict[str, float] = Field(
        default="sequential",
        description="`sequential`: source after source as written, or the order as a list of names; or shares by name.",
    )
    steps: tuple[AnyStep, ...] = Field(default=(), description="For all rows, after mixing.")
    split: Split = Split()
    seed: int | None = Field(default=None, description="Unset: the seed of the run that asks.")

    @model_validator(mode="after")
    def _mix_names_sources(self) -> Self:
        if self.mix == "sequential":
            return self
        named = list(self.mix)
        if sorted(named) != sorted(self.sources):
            raise ValueError(f"mix must name every source once: {', '.join(self.sources)}; it names {', '.join(named)}")
        if isinstance(self.mix, dict) and not (min(self.mix.values()) >= 0 and sum(self.mix.values()) > 0):
            raise ValueError("mix: shares are not negative, and one is over 0")
        return self

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the sources in the order in which they are read."""
        return tuple(self.sources) if self.mix == "sequential" else tuple(self.mix)


def load(path: Path, overrides: Sequence[str] = ()) -> DataRecipe:
    """The recipe of a file with `key=value` laid over it; RecipeError lists every fault."""
    found: DataRecipe = load_recipe(cast(Any, DataRecipe), path, overrides)
    return found
