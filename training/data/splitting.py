"""Which rows are held out, and the proof that nothing of them is learned from. Knows rows and keys, no recipe's file.

Training rows stream through and leave their keys; held-out rows wait on disk, and those that share a person, a
dialogue or a prompt with a training row, or whose prompt is nearly one of its, are dropped when all keys are known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from training.data.data_recipe import Split
from training.data.rows import Row
from training.data.steps.keys import KeySet, below, key
from training.data.steps.near import NearIndex
from training.data.steps.part import Context
from training.data.steps.spool import Spool
from training.data.steps.texts import WINDOW, fold, prompt_key, prompt_text

SALT = "held_out"
TAG = "split"


class Splitter:
    """One pass: `train` first, to its end, then `held_out`."""

    def __init__(self, split: Split, context: Context) -> None:
        self.split = split
        self.counts: Counter[str] = Counter()
        self._keys = KeySet()
        self._spool = Spool(context.work / "held_out.jsonl")
        self._near = NearIndex(context.work / "near.sqlite", split.near, 64) if split.near and split.held_out else None

    def train(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Rows to learn from; the others are laid aside."""
        for row in rows:
            if is_held_out(row, self.split):
                self._spool.add(row)
                continue
            shared = identities(row, self.split)
            fresh = [self._keys.add(key(one, name)) for name, one in shared.items()]
            if self._near and fresh[0]:
                self._near.remember(shared["prompt"])
            yield row

    def held_out(self) -> Iterator[Row]:
        """The rows laid aside, without those that leak."""
        for row in self._spool.read():
            shared = identities(row, self.split)
            leak = next((name for name, one in shared.items() if key(one, name) in self._keys), None)
            if leak:
                self.counts[f"dropped_same_{leak}"] += 1
                continue
            if self._near and self._near.find(shared["prompt"]) is not None:
                self.counts["dropped_near_prompt"] += 1
                continue
            yield row

    def close(self) -> None:
        """Remove what was laid aside."""
        self._spool.close()
        if self._near:
            self._near.close()


def is_held_out(row: Row, split: Split) -> bool:
    """Whether a row is held out: by the hash of its person or its prompt, the same everywhere and for ever, or by its
    tag."""
    if split.by == "tag":
        return row.tags.get(TAG) == SALT
    name = f"person {fold(row.person)}" if split.by == "person" and row.person else f"prompt {prompt_key(row)}"
    return below(name, split.held_out, SALT)


def identities(row: Row, split: Split) -> dict[str, str]:
    """What a row must not share with one of the other side, folded; its prompt first."""
    found = {"prompt": fold(prompt_text(row))}
    if WINDOW in row.tags:
        found["dialogue"] = row.tags[WINDOW]
    if row.person and (split.by == "person" or split.persons == "apart"):
        found["person"] = fold(row.person)
    return found
