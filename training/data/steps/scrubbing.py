"""`scrub` and `language`: personal data out of texts, and texts that are not Russian out of a set.

How both are told is training/data/scrub's; here they meet rows and recipes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from training.data import scrub
from training.data.rows import Row
from training.data.scrub.language import cyrillic, russian
from training.data.scrub.names import PersonNames
from training.data.scrub.spans import Kind
from training.data.steps.part import Context, Counts, Part, each
from training.data.steps.texts import Which, rewritten, words

_KINDS = {kind.name.lower(): kind for kind in scrub.ALL}


class Scrub(Part):
    """`<ТЕЛЕФОН>` and the like in place of personal data; the counts say how many of each were found."""

    step: Literal["scrub"] = "scrub"
    kinds: tuple[str, ...] = Field(
        default=tuple(sorted(_KINDS)), min_length=1, description="What is looked for; unset: all kinds."
    )
    names: bool = Field(default=False, description="People's names too, by natasha: about 5 ms a sentence.")
    keep: tuple[str, ...] = Field(default=(), description="Words that are no names: the firm's, the product's.")

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(kinds) - set(_KINDS)):
            raise ValueError(f"there is no '{unknown[0]}'; kinds are {', '.join(sorted(_KINDS))}")
        return kinds

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        kinds: frozenset[Kind] = frozenset(_KINDS[name] for name in self.kinds)
        names = PersonNames(self.keep) if self.names else None

        def change(text: str) -> str:
            new, found = scrub.scrub(text, kinds, names)
            counts.found.update(found)
            return new

        return each(rows, counts, lambda row: rewritten(row, change))

    def tools(self) -> tuple[str, ...]:
        return ("natasha", "slovnet", "navec", "pymorphy3", "pymorphy3-dicts-ru") if self.names else ()


class Language(Part):
    """Keeps rows whose texts are Russian: by letters alone, or by `russian`, which tells Ukrainian or Bulgarian too."""

    step: Literal["language"] = "language"
    of: Which = Field(default="all", description="Which texts are looked at.")
    cyrillic: float = Field(default=0.7, ge=0, le=1, description="Least share of Cyrillic among the letters.")
    russian: float | None = Field(
        default=0.5, ge=0, le=1, description="Least certainty that it is Russian; null: letters alone, much faster."
    )

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        def decide(row: Row) -> Row | str:
            text = "\n".join(words(row, self.of))
            if cyrillic(text) < self.cyrillic:
                return "not_cyrillic"
            return "not_russian" if self.russian is not None and russian(text) < self.russian else row

        return each(rows, counts, decide)

    def tools(self) -> tuple[str, ...]:
        return ("py3langid", "pymorphy3", "pymorphy3-dicts-ru") if self.russian is not None else ()
