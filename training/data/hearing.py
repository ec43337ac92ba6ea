"""What kind of thing was said, and about what: labels for the tokens between a message and its answer.

Known are the messages that open replies are made of, but for those the seed corpus holds out. Knows their tokens, no
model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.subjects import ABOUT
from training.data import seed_open
from training.data.seed_open import BROAD, FIRST, KINDS, MESSAGES, TYPED, Message

UNKNOWN = -100
# Only these are told with their subjects.
WITH_SUBJECTS = (MESSAGES, TYPED, BROAD)


class Hearing:
    """Finds the messages of token rows among those whose kind is told."""

    def __init__(self, tokenizer: Any, end: int, person: int, bot: int, given: Iterable[Message] | None = None) -> None:
        self.tokenizer = tokenizer
        self.end, self.person, self.bot = end, person, bot
        self.special = set(tokenizer.all_special_ids)
        self.known: dict[str, tuple[int, int]] = {}
        for one in every() if given is None else given:
            if not one.held_out:
                told = one.source in WITH_SUBJECTS and one.kind in FIRST and one.subject in ABOUT
                about = ABOUT.index(one.subject) if told else UNKNOWN
                self.known.setdefault(bare(one.text), (KINDS.index(one.kind), about))

    def labels(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """`(2, rows, length)` of `(rows, length)` token ids: index in KINDS, index in ABOUT; UNKNOWN elsewhere.

        They stand on the end token of a first message and the special tokens that follow it, where all has been read
        and nothing is answered.
        """
        found = np.full((2, *batch.shape), UNKNOWN)
        for row, tokens in enumerate(batch):
            ends = np.flatnonzero(tokens == self.end)
            for start in np.flatnonzero(tokens == self.person):
                after = ends[ends > start]
                if not len(after) or after[0] + 1 >= len(tokens) or tokens[after[0] + 1] != self.bot:
                    continue
                last = stop = int(after[0])
                while stop < len(tokens) and int(tokens[stop]) in self.special:
                    stop += 1
                told = self.known.get(bare(self.tokenizer.decode(tokens[start + 1 : last])))
                if told:
                    found[:, row, last:stop] = np.array(told)[:, None]
        return found


def every() -> list[Message]:
    """All messages whose kind is told."""
    return [*seed_open.messages(), *seed_open.typed(), *seed_open.broad(), *seed_open.posted()]


def bare(text: str) -> str:
    """Letters and digits alone: case, marks and ё vary as people type."""
    return "".join(re.findall(r"\w+", text.lower().replace("ё", "е")))
