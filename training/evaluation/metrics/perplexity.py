"""How surprised a system is by texts that people wrote: what a tuned model has forgotten. Knows no answer.

Measured by the engine that serves, adapters of every kind included. Perplexity a token compares systems with one
tokenizer only; bits a character compare any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.evaluation.metrics.column import Column

if TYPE_CHECKING:
    from training.evaluation.answering import Asked
    from training.evaluation.plain_engine import PlainEngine

TEXTS = (
    Column("text_perplexity", "Perplexity of texts, a token", "Перплексия текстов, на токен", "lower", 2),
    Column("text_bits", "Bits a character of texts", "Бит на символ текстов", "lower"),
)
REFERENCES = (
    Column("reference_perplexity", "Perplexity of references, a token", "Перплексия эталонов, на токен", "lower", 2),
    Column("reference_bits", "Bits a character of references", "Бит на символ эталонов", "lower"),
)


@dataclass(frozen=True)
class Surprise:
    """Negative log-likelihood of one text in nats, and its length both ways. `key` names the text."""

    key: str
    nats: float
    tokens: int
    characters: int


def perplexity(found: Sequence[Surprise]) -> float:
    """exp(Σ nats / Σ tokens)."""
    return math.exp(sum(one.nats for one in found) / max(1, sum(one.tokens for one in found)))


def bits(found: Sequence[Surprise]) -> float:
    """Σ bits / Σ characters."""
    return sum(one.nats for one in found) / math.log(2) / max(1, sum(one.characters for one in found))


def of_texts(engine: PlainEngine, adapter: str | None, texts: Sequence[str]) -> list[Surprise]:
    """Of plain texts. A mark for the beginning stands before each, so that its first word counts; what is longer than
    the model's context is read in pieces."""
    tokenizer = engine.base.tokenizer
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    head = [] if begin is None else [begin]
    size = engine.base.context - len(head)
    pieces: list[tuple[int, list[int]]] = []
    for index, text in enumerate(texts):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        pieces += [(index, head + ids[start : start + size]) for start in range(0, len(ids), size)]
    nats, tokens = [0.0] * len(texts), [0] * len(texts)
    for (index, _), losses in zip(pieces, engine.losses([ids for _, ids in pieces], adapter), strict=True):
        nats[index] += sum(losses)
        tokens[index] += len(losses)
    return [
        Surprise(str(index), nats[index], tokens[index], len(text)) for index, text in enumerate(texts) if tokens[index]
    ]


def of_references(engine: PlainEngine, adapter: str | None, asked: Sequence[Asked]) -> list[Surprise]:
    """Of the answers that the set holds, given their prompts as serving renders them; the end token counts. Those that
    do not fit into the context are left out."""
    from training.tokens import answer_ids, prompt_ids

    tokenizer = engine.base.tokenizer
    given: list[tuple[Asked, int, list[int]]] = []
    for one in asked:
        prompt = prompt_ids(tokenizer, one.row, one.row.prompt, engine.presets)
        ids = prompt + answer_ids(tokenizer, one.row.answer)
        if len(ids) <= engine.base.context:
            given.append((one, len(prompt), ids))
    losses = engine.losses([ids for _, _, ids in given], adapter)
    return [
        Surprise(one.key, sum(found[start - 1 :]), len(found) - start + 1, len(one.row.answer))
        for (one, start, _), found in zip(given, losses, strict=True)
    ]
