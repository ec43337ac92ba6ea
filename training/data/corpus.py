"""Token streams for pre-training: each source becomes one flat array, and batches mix the arrays by weight.

Knows the data folder and a tokenizer; nothing of models. Order is a pure function of seed and cursors, so a resumed
run reads on exactly where it stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.prompt import Hints
from storage.presets import Presets
from training.data import conversations, seed_corpus, seed_open, seed_swaps, sources
from training.recipes import RecipeError

Tokens = NDArray[np.uint16]
SEED, SEED_PLAIN, SEED_SWAPPED, SEED_NARROW = "seed", "seed_plain", "seed_swapped", "seed_narrow"
SEED_OPEN, SEED_KINDS, SEED_ABOUT = "seed_open", "seed_kinds", "seed_about"
SEEDS = (SEED, SEED_PLAIN, SEED_SWAPPED, SEED_NARROW, *seed_open.SHARES)
LOOSENED = (SEED, SEED_NARROW)
SWAPS, SWAP_LINES, WORDS_FROM = 2, 300_000, "short_sentences"
OPEN_BLOCKS = 48


def raw_lines(data: Path, names: Iterable[str], most: int) -> Iterator[str]:
    """Plain text for the tokenizer: at most `most` lines of every source, the seed corpus's replies whole and once."""
    given = list(names)
    if any(name in SEEDS for name in given):
        yield from (row.reply for row in seed_corpus.split(seed_corpus.load())[0])
    for name in given:
        if name in SEEDS:
            continue
        for count, item in enumerate(_items(data, name)):
            if count >= most:
                break
            yield from [item] if isinstance(item, str) else item


def documents(data: Path, name: str, tokenizer: Any, presets: Presets) -> Iterator[str]:
    """Rendered documents of one source: plain lines with an end token, dialogues as chats, seed rows as served, but
    that no reader is asked: shares of open replies are told what the hand told of their messages, others nothing.

    Every seed reply stands below each wording of its message, and once more below that wording put loosely; rows of
    messages with few wordings and replies stand twice, so that messages weigh more alike. `seed_narrow` has the files
    alone whose messages are common and have many replies, `seed_open` open replies to messages of their
    kind, `seed_kinds` these to many more messages, `seed_follow` those to short lines that lean on the talk,
    `seed_subjects` the first and the last and those about a subject, to broad messages in all their wordings as well,
    `seed_about` those about a subject to messages of which the template is told it.
    """
    if name in SEEDS:
        given = examples(name, data, presets)
        chooser = random.Random(0)
        for example in conversations.plain(given, presets) if name == SEED_PLAIN else given:
            typed = conversations.retype(example, chooser)
            for one in (typed, conversations.loosen(typed, chooser)) if name in LOOSENED else (typed,):
                yield "".join(conversations.render_example(tokenizer, one, presets))
        return
    for item in _items(data, name):
        if isinstance(item, str):
            yield item + str(tokenizer.eos_token)
        else:
            yield chat(tokenizer, item)


def examples(name: str, data: Path | None, presets: Presets) -> list[conversations.Example]:
    """The training rows of one of `SEEDS`, with what the template is told of them: nothing but of `seed_open.TOLD`."""
    rows = seed_rows(name, data, presets)
    told: Sequence[Hints] = [{}] * len(rows)
    for share in seed_open.TOLD:
        if name == share:
            told = seed_open.hints(rows, share)
    known = conversations.from_seed(rows, presets)
    return [replace(one, hints=hints) for one, hints in zip(known, told, strict=True)]


def seed_rows(name: str, data: Path | None, presets: Presets) -> list[seed_corpus.SeedRow]:
    """The training rows that one of `SEEDS` stands for."""
    for share in seed_open.SHARES:
        if name == share:
            return seed_open.rows(presets, share=share)
    given = seed_corpus.load()
    kept, _ = seed_corpus.split(seed_corpus.narrow(given) if name == SEED_NARROW else given)
    rows = seed_corpus.evenly(seed_corpus.reworded(kept))
    return about_other_things(rows, data) if name == SEED_SWAPPED else rows


def files(names: Iterable[str]) -> list[str]:
    """Which files of the public data folder (keys of `sources.FILES`) the named sources are read from."""
    read = {WORDS_FROM if name == SEED_SWAPPED else name for name in names}
    return sorted(read & set(sources.FILES))


def about_other_things(
    rows: Sequence[seed_corpus.SeedRow], data: Path | None, times: int = SWAPS, seed: int = 0
) -> list[seed_corpus.SeedRow]:
    """Up to `times` rows for each: another word for what message and reply speak of.

    The words are those of the seed replies and, with the public data folder, of everyday sentences.
    """
    lines = () if data is None else islice(_items(data, WORDS_FROM), SWAP_LINES)
    texts = chain((row.reply for row in rows), (one for one in lines if isinstance(one, str)))
    return list(seed_swaps.variants(rows, seed_swaps.Swapper(texts, rows=rows), times, seed))


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
    """Blocks of whole documents: each goes where it leaves the least room, among the blocks that are still open."""
    opened: list[tuple[int, list[Tokens]]] = []
    for ids in documents:
        kept = ids[:length]
        fitting = [index for index, (room, _) in enumerate(opened) if room >= len(kept)]
        room, block = opened.pop(min(fitting, key=lambda index: opened[index][0])) if fitting else (length, [])
        block.append(kept)
        opened.append((room - len(kept), block))
        if len(opened) > OPEN_BLOCKS:
            fullest = min(range(len(opened)), key=lambda index: opened[index][0])
            yield _closed(*opened.pop(fullest), end)
    for room, block in opened:
        yield _closed(room, block, end)


def _closed(room: int, block: list[Tokens], end: int) -> Tokens:
    return np.concatenate([*block, np.full(room, end, dtype=np.uint16)])


def read_only(batch: NDArray[np.int64], special: NDArray[np.int64], end: int, person: int) -> NDArray[np.bool_]:
    """`(rows, length - 1)`: whether the next token is one that the bot is given and never says.

    Those are the person's words, every special token but the end of an answer, and the end tokens that fill blocks.
    """
    place = np.arange(batch.shape[1])
    marks = np.isin(batch, special)
    # The last special token before says whose words these are.
    latest = np.maximum.accumulate(np.where(marks, place, 0), axis=1)
    saying = np.take_along_axis(batch, latest, axis=1)[:, :-1] == person
    following, before = batch[:, 1:], batch[:, :-1]
    given = np.isin(following, special[special != end]) | ((following == end) & (before == end))
    return np.asarray(saying | given)


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
    raise ValueError(f"unknown source '{name}': choose from {', '.join([*sources.LINES, *sources.DIALOGUES, *SEEDS])}")
