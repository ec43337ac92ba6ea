"""`length`: a window in tokens of a tokenizer or in characters. Knows how to load a tokenizer, no model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from training.data.rows import Pair, Row
from training.data.steps.part import Context, Counts, Input, Part
from training.data.steps.texts import Which, words
from training.recipes import RecipeError

BATCH = 256
# The folder of a base model holds gigabytes beside its tokenizer.
TOKENIZER_FILES = ("*token*.json", "*.model", "vocab.*", "merges.txt")


class Length(Part):
    """Keeps rows with `min` ≤ length ≤ `max`, such as 470 ≤ tokens of the answer ≤ 610.

    Lengths are of the texts alone, added up, without a template. Of a pair, both answers must fit.
    """

    step: Literal["length"] = "length"
    of: Which = Field(default="all", description="Which texts are looked at.")
    min: int = Field(default=0, ge=0, description="Least length that stays.")
    max: int | None = Field(default=None, ge=1, description="Greatest length that stays.")
    tokenizer: str | None = Field(
        default=None, description="Folder or hub id of the tokenizer that counts; unset: characters are counted."
    )

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.max is None and not self.min:
            raise ValueError("give min, max or both")
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is over max {self.max}")
        return self

    def apply(self, rows: Iterator[Row], counts: Counts, context: Context) -> Iterator[Row]:
        measure = token_counter(self.tokenizer) if self.tokenizer else _characters
        while batch := list(islice(rows, BATCH)):
            for row, fault in zip(batch, self._faults(batch, measure), strict=True):
                if fault:
                    counts.dropped[fault] += 1
                else:
                    yield row

    def inputs(self) -> tuple[Input, ...]:
        return (Input(self.tokenizer, TOKENIZER_FILES),) if self.tokenizer else ()

    def tools(self) -> tuple[str, ...]:
        return ("tokenizers", "transformers") if self.tokenizer else ()

    def _faults(self, batch: Sequence[Row], measure: Callable[[list[str]], list[int]]) -> Iterator[str]:
        cases = [alternatives(row, self.of) for row in batch]
        lengths = iter(measure([text for case in cases for texts in case for text in texts]))
        for case in cases:
            totals = [sum(islice(lengths, len(texts))) for texts in case]
            if min(totals) < self.min:
                yield "too_short"
            else:
                yield "too_long" if self.max is not None and max(totals) > self.max else ""


def alternatives(row: Row, which: Which) -> list[list[str]]:
    """Groups of texts that stand in one example each: two for a pair's answers, one for every other row."""
    texts = words(row, which)
    if isinstance(row, Pair) and which != "prompt":
        return [[*texts[:-2], texts[-2]], [*texts[:-2], texts[-1]]]
    return [texts]


def token_counter(where: str) -> Callable[[list[str]], list[int]]:
    """Counts tokens of texts, special ones left out; RecipeError if there is no such tokenizer."""
    from transformers import AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(where)
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        hint = "" if Path(where).is_dir() else " (there is no such folder)"
        raise RecipeError(f"length: no tokenizer can be loaded from {where}{hint}: {reason}") from None

    def count(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []

    return count


def _characters(texts: list[str]) -> list[int]:
    return [len(text) for text in texts]
