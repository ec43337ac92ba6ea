"""Token streams for pre-training: each source becomes one flat array, and batches mix the arrays by weight.

Knows the data folder and a tokenizer; nothing of models. Order is a pure function of seed and cursors, so a resumed
run reads on exactly where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.presets import Presets
from training.data import conversations, seed_corpus, sources
from training.recipes import RecipeError

Tokens = NDArray[np.uint16]
SEED, SEED_PLAIN = "seed", "seed_plain"


def raw_lines(data: Path, names: Iterable[str], most: int) -> Iterator[str]:
    """Plain text for the tokenizer: at most `most` lines of every source, the seed corpus whole."""
    for name in names:
        if name in (SEED, SEED_PLAIN):
            yield from (row.reply for row in seed_corpus.split(seed_corpus.load())[0])
            continue
        for count, item in enumerate(_items(data, name)):
            if count >= most:
                break
            yield from [item] if isinstance(item, str) else item


def documents(data: Path, name: str, tokenizer: Any, presets: Presets) -> Iterator[str]:
    """Rendered documents of one source: plain lines with an end token, dialogues as chats, seed rows as served.

    Every seed reply stands once below each wording of its message.
    """
    if name in (SEED, SEED_PLAIN):
        rows = seed_corpus.reworded(seed_corpus.split(seed_corpus.load())[0])
        examples = conversations.from_seed(rows, presets)
        chooser = random.Random(0)
        for example in examples if name == SEED else conversations.plain(examples, presets):
            yield "".join(conversations.render_example(tokenizer, conversations.retype(example, chooser), presets))
        return
    for item in _items(data, name):
        if isinstance(item, str):
            yield item + str(tokenizer.eos_token)
        else:
            yield chat(tokenizer, item)


def chat(tokenizer: Any, turns: list[str]) -> str:
    """A dialogue as one chat document; the last speaker is the bot, so that most lively turns are answers."""
    first_is_user = len(turns) % 2 == 0
    roles = [("user", "assistant")[(index + (not first_is_user)) % 2] for index in range(len(turns))]
    messages = [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=True)]
    return str(tokenizer.apply_chat_template(messages, tokenize=False))


def encode(tokenizer: Any, texts: Iterable[str], seed: int, whole: int | None = None) -> Tokens:
    """All documents, shuffled, as one array of token ids.

    With `whole` no document lies across a border of blocks of so many tokens (longer ones lose their end), so that
    every reply stands in one block with its message; what is left of a block is filled with end tokens.
    """
    shuffled = list(texts)
    random.Random(seed).shuffle(shuffled)
    encoded = tokenizer.backend_tokenizer.encode_batch(shuffled, add_special_tokens=False)
    ids = [np.asarray(one.ids, dtype=np.uint16) for one in encoded]
    if whole and sum(map(len, ids)) >= whole:
        ids = list(_aligned(ids, whole, int(tokenizer.eos_token_id)))
    return np.concatenate(ids)


def _aligned(documents: Iterable[Tokens], length: int, end: int) -> Iterator[Tokens]:
    room = length
    for ids in documents:
        kept = ids[:length]
        if len(kept) > room:
            yield np.full(room, end, dtype=np.uint16)
            room = length
        yield kept
        room = room - len(kept) or length
    yield np.full(room % length, end, dtype=np.uint16)


class Mixture:
    """Blocks of `length` tokens drawn from several arrays by weight; every array is read in a new order each pass."""

    def __init__(self, arrays: Mapping[str, Tokens], length: int, seed: int) -> None:
        self.arrays = {name: array for name, array in arrays.items() if len(array) >= length}
        if not self.arrays:
            raise RecipeError(f"no source has {length} tokens: give the recipe more data or a shorter `sequence`")
        self.length = length
        self.seed = seed
        self.cursors = dict.fromkeys(self.arrays, 0)
        self._orders: dict[tuple[str, int], NDArray[np.int64]] = {}

    def require(self, name: str, weights: Mapping[str, float]) -> None:
        """RecipeError if nothing that a mixture names has enough tokens for one row."""
        if not any(weights.get(one, 0) > 0 for one in self.arrays):
            named = ", ".join(one for one, share in weights.items() if share > 0)
            raise RecipeError(
                f"{name}: none of {named} has {self.length} tokens: give more data or a shorter `sequence`"
            )

    def batch(self, step: int, rows: int, weights: Mapping[str, float]) -> NDArray[np.int64]:
        """`(rows, length)` token ids of one step."""
        names = [name for name in self.arrays if weights.get(name, 0) > 0]
        chances = np.array([weights[name] for name in names], dtype=np.float64)
        chosen = np.random.default_rng((self.seed, step)).choice(len(names), size=rows, p=chances / chances.sum())
        return np.stack([self._block(names[index]) for index in chosen]).astype(np.int64)

    def _block(self, name: str) -> Tokens:
        array = self.arrays[name]
        blocks = len(array) // self.length
        passed, index = divmod(self.cursors[name], blocks)
        self.cursors[name] += 1
        # A new offset each pass, so that a long document is not always cut at the same places.
        offset = int(np.random.default_rng((self.seed, passed)).integers(0, len(array) - blocks * self.length + 1))
        start = offset + int(self._order(name, passed, blocks)[index]) * self.length
        return array[start : start + self.length]

    def _order(self, name: str, passed: int, blocks: int) -> NDArray[np.int64]:
        key = (name, passed)
        if key not in self._orders:
            self._orders = {kept: order for kept, order in self._orders.items() if kept[0] != name}
            number = sorted(self.arrays).index(name)
            self._orders[key] = np.random.default_rng((self.seed, number, passed)).permutation(blocks)
        return self._orders[key]


def _items(data: Path, name: str) -> Iterator[str] | Iterator[list[str]]:
    if name in sources.LINES:
        return sources.LINES[name](data)
    if name in sources.DIALOGUES:
        return sources.DIALOGUES[name](data)
    raise ValueError(
        f"unknown source '{name}': choose from {', '.join([*sources.LINES, *sources.DIALOGUES, SEED, SEED_PLAIN])}"
    )
