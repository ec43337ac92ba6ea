"""Rows as token ids, by the renderer that serves, and token ids as a memory-mapped table. Knows no method.

An answer ends with the end token that stops it in service; a row that is longer than allowed is left out and counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.engines.prompts import encode, special_texts, without
from models.prompt import Prompt, render, render_plain
from storage.contracts import Turn
from storage.presets import Preset, Presets
from training.data.rows import Answer, Feedback, Pair, Row
from training.recipes import RecipeError

BATCH = 1000


def prompt_ids(tokenizer: Any, row: Row, turns: Sequence[Turn], presets: Presets) -> list[int]:
    """Tokens of what serving would render for a row's dialogue; RecipeError if its emotion is no preset.

    Control tokens in texts are taken out, as serving does: data must not open or end a turn.
    """
    specials = _specials(tokenizer)
    turns = tuple(Turn(role=turn.role, text=without(turn.text, specials)) for turn in turns)
    if row.emotion is None:
        return encode(tokenizer, render_plain(tokenizer, turns, without(row.system, specials)))
    preset = presets.find(row.emotion)
    if not isinstance(preset, Preset):
        raise RecipeError(f"data: {row.origin or 'a row'} wants the emotion '{row.emotion}', no preset is called so")
    return encode(
        tokenizer, render(tokenizer, Prompt(turns, preset, row.intensity, without(row.persona, specials)), presets)
    )


def answer_ids(tokenizer: Any, text: str) -> list[int]:
    """Tokens of an answer, without control tokens in its text, and its end token."""
    ids: list[int] = tokenizer(without(text, _specials(tokenizer)), add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id]


@lru_cache(maxsize=4)
def _specials(tokenizer: Any) -> tuple[str, ...]:
    return special_texts(tokenizer)


class Encoder:
    """Encodes rows and counts what it leaves out: `longest` is in tokens of prompt and answer together."""

    def __init__(self, tokenizer: Any, presets: Presets, longest: int) -> None:
        self.tokenizer, self.presets, self.longest = tokenizer, presets, longest
        self.counts: Counter[str] = Counter()

    def answers(self, rows: Iterable[Answer]) -> Iterator[dict[str, list[int]]]:
        """`input_ids` and, for the loss, `labels`: −100 over the prompt."""
        for row in rows:
            prompt, answer = self._prompt(row, row.prompt), answer_ids(self.tokenizer, row.answer)
            if self._fits(prompt, answer):
                yield {"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer}

    def pairs(self, rows: Iterable[Pair]) -> Iterator[dict[str, list[int]]]:
        """`prompt_ids`, `chosen_ids`, `rejected_ids`."""
        for row in rows:
            prompt = self._prompt(row, row.prompt)
            chosen, rejected = (answer_ids(self.tokenizer, text) for text in (row.chosen, row.rejected))
            if self._fits(prompt, max(chosen, rejected, key=len)):
                yield {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}

    def feedback(self, rows: Iterable[Feedback]) -> Iterator[dict[str, Any]]:
        """`prompt_ids`, `completion_ids`, `label`: whether the answer was liked."""
        for row in rows:
            prompt, answer = self._prompt(row, row.prompt), answer_ids(self.tokenizer, row.answer)
            if self._fits(prompt, answer):
                yield {"prompt_ids": prompt, "completion_ids": answer, "label": row.desirable}

    def _prompt(self, row: Row, turns: Sequence[Turn]) -> list[int]:
        return prompt_ids(self.tokenizer, row, turns, self.presets)

    def _fits(self, prompt: Sequence[int], answer: Sequence[int]) -> bool:
        length = len(prompt) + len(answer)
        self.counts["too_long" if length > self.longest else "kept"] += 1
        if length <= self.longest:
            self.counts["tokens"] += length
        return length <= self.longest


def table(path: Path, examples: Iterable[Mapping[str, Any]]) -> Any:
    """The examples as a `datasets.Dataset` that lies in a file: memory stays bounded however many there are.

    An iterable without examples gives RecipeError.
    """
    import pyarrow as arrow
    from datasets import Dataset

    path.parent.mkdir(parents=True, exist_ok=True)
    batches = _batches(examples)
    first = next(batches, None)
    if first is None:
        raise RecipeError(
            "data: no row is left after cutting by length; give a larger `longest`, a base that reads more, other rows"
        )
    head = arrow.RecordBatch.from_pylist([dict(one) for one in first])
    # Another process of this run may have the file mapped: it keeps the one it opened.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with arrow.OSFile(str(fresh), "wb") as out, arrow.ipc.new_stream(out, head.schema) as stream:
        stream.write_batch(head)
        for batch in batches:
            stream.write_batch(arrow.RecordBatch.from_pylist([dict(one) for one in batch], schema=head.schema))
    fresh.replace(path)
    return Dataset.from_file(str(path))


def _batches(examples: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    for example in examples:
        batch.append(example)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
