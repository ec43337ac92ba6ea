"""What a method learns from: people's rows of the kinds that it takes, mixed with rows of the seed corpus, so that
what the adapter could before is not forgotten. Knows rows and sets; neither recipes nor where the sets came from.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from storage.presets import Presets, load_presets
from training.cycle.choosing import Counts
from training.cycle.order import SHARED
from training.data import seed_corpus, sets
from training.data.reading import shipped
from training.data.rows import Answer, Feedback, Pair, Row

# Kinds of people's sets that a method learns from; the kind of seed rows that goes with them.
KINDS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "kto": (("feedback", "pairs"), "pairs"),
    "dpo": (("pairs",), "pairs"),
    "simpo": (("pairs",), "pairs"),
    "reward": (("reward",), "pairs"),
    "sft": (("answers",), "answers"),
    "rlhf": (("feedback", "pairs", "answers"), "answers"),
}
# Held-out seed rows beside people's own, for the losses that a run reports.
HELD_OUT = 100


@dataclass(frozen=True)
class Frozen:
    """People's frozen sets by kind: `answers`, `pairs`, `feedback`; None where nobody said anything of the kind."""

    folders: Mapping[str, Path | None]
    slot: str = SHARED

    def train(self, kind: str) -> Iterator[Row]:
        """Rows to learn from."""
        return self._rows(kind, "train")

    def held_out(self, kind: str) -> Iterator[Row]:
        """Rows of people that nothing is learned from."""
        return self._rows(kind, "held_out")

    def _rows(self, kind: str, part: str) -> Iterator[Row]:
        folder = self.folders.get(kind)
        if folder is None:
            return
        prepared = sets.load(folder)
        for row in prepared.train(Row) if part == "train" else prepared.held_out(Row):
            # A slot of its own learns from what was said of its own preset.
            if self.slot in (SHARED, row.emotion):
                yield row


def count(frozen: Frozen, people: int) -> Counts:
    """Rows to learn from by kind."""
    liked = disliked = pairs = chosen = rejected = 0
    for row in frozen.train("feedback"):
        if isinstance(row, Feedback):
            liked, disliked = liked + row.desirable, disliked + (not row.desirable)
    for row in frozen.train("pairs"):
        if isinstance(row, Pair):
            pairs, chosen, rejected = pairs + 1, chosen + len(row.chosen), rejected + len(row.rejected)
    answers = sum(1 for _ in frozen.train("answers"))
    longer = chosen / rejected if rejected else None
    return Counts(answers=answers, pairs=pairs, liked=liked, disliked=disliked, people=people, longer=longer)


def mix(method: str, frozen: Frozen, folder: Path, presets: Presets, share: float, seed: int = 0) -> int:
    """Write the set that a method learns from; how many rows it has. EmptySet without a row of people's."""
    kinds, replayed = KINDS[method]
    train = [row for kind in kinds for row in frozen.train(kind)]
    held = [row for kind in kinds for row in frozen.held_out(kind)]
    if not train:
        raise sets.EmptySet(f"data: nobody said anything yet that {method} learns from ({', '.join(kinds)})")
    wanted = math.ceil(len(train) * share / (1 - share))
    old, kept = _seed_rows(replayed, presets, frozen.slot)
    chooser = random.Random(f"{seed}:{method}:{len(train)}")
    again = chooser.sample(old, min(wanted, len(old)))
    rows = [*train, *again]
    chooser.shuffle(rows)
    manifest = {
        "method": method,
        "people_rows": len(train),
        "replayed_rows": len(again),
        "seed_corpus": hashlib.sha256(b"".join(path.read_bytes() for path in shipped.files(None))).hexdigest(),
        "sets": {kind: _manifest(frozen.folders.get(kind)) for kind in kinds},
        "seed": seed,
    }
    sets.write(folder, rows, [*held, *kept[:HELD_OUT]], manifest)
    return len(rows)


def _manifest(folder: Path | None) -> Mapping[str, object] | None:
    return None if folder is None else dict(sets.load(folder).manifest)


def _seed_rows(kind: str, presets: Presets, slot: str) -> tuple[list[Row], list[Row]]:
    """`(training, held-out)` rows of the seed corpus, of a slot's preset alone where it has a slot of its own."""
    train: list[Row] = []
    held: list[Row] = []
    for row in seed_rows(kind, presets):
        if slot in (SHARED, row.emotion):
            (held if row.tags.get("split") == "held_out" else train).append(row)
    random.Random(0).shuffle(held)
    return train, held


def seed_rows(kind: str, presets: Presets) -> Iterator[Answer | Pair]:
    """`answers` or `pairs` of the seed corpus in the emotions that there are. The corpus names its own by the titles
    that the product ships with, whatever an operator has renamed or switched off since."""
    ids = {one.id for one in presets.presets}
    return (row for row in _shipped(kind) if row.emotion in ids)


@lru_cache(maxsize=1)
def _shipped(kind: str) -> tuple[Answer | Pair, ...]:
    """The same for a method and for its preference model, which are laid out one after the other."""
    found: Iterable[object] = (shipped.pairs if kind == "pairs" else shipped.read)(None, load_presets())
    return tuple(row for row in found if isinstance(row, Answer | Pair))


def seed_texts(most: int) -> list[str]:
    """Held-out replies that people wrote, each once, the same for every job: what perplexity is measured on."""
    _, held = seed_corpus.split(seed_corpus.load())
    found: Sequence[str] = sorted({row.reply for row in held})
    return random.Random(0).sample(found, min(most, len(found)))
