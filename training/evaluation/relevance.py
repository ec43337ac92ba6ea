"""Do the starter's answers belong to what was said? Response selection on seed messages (Lowe et al. 2015).

    python -m training.evaluation.relevance --starter models/starter

The model ranks a message's own reply among nine to other messages, all of one emotion and intensity, by the mean log
probability of their tokens. R10@1 is how often the own one is first: 0.10 by chance. Beside it stands the same with the
reply's log probability after an unrelated message taken off (Li et al. 2016, maximum mutual information), which does
not favour replies that are likely anywhere. Knows the seed corpus and a starter folder; nothing of serving.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from models.relevance import NOTHING
from storage.presets import load_presets
from training.data import conversations, seed_corpus
from training.data.conversations import Example
from training.evaluation.likelihoods import likelihoods
from training.evaluation.starter import load
from training.evaluation.statistics import interval

OTHERS = 9


def choices(rows: Sequence[Example], most: int, seed: int = 0) -> list[list[Example]]:
    """Up to `most` questions: the message with its own reply first, then with nine replies to other messages."""
    cells: dict[tuple[str, int], list[Example]] = defaultdict(list)
    for row in rows:
        if row.preset is not None:
            cells[row.preset.id, row.intensity].append(row)
    chooser = random.Random(seed)
    found: list[list[Example]] = []
    for row in chooser.sample(list(rows), len(rows)):
        others = [one for one in cells[row.preset.id, row.intensity] if one.turns != row.turns] if row.preset else []
        if len(found) < most and len(others) >= OTHERS:
            wrong = [one.reply for one in chooser.sample(others, OTHERS)]
            found.append([Example(row.turns, reply, row.preset, row.intensity) for reply in (row.reply, *wrong)])
    return found


def first(scores: Sequence[float]) -> float:
    """1 if the first of ten scores is above all others, else 0."""
    return float(scores[0] > max(scores[1:]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starter", type=Path, default=Path("models/starter"))
    parser.add_argument("--corpus", type=Path, help="folder of seed files; unset: the shipped one")
    parser.add_argument("--rows", choices=("held_out", "train"), default="held_out")
    parser.add_argument("--most", type=int, default=400, help="questions")
    given = parser.parse_args()
    presets = load_presets()
    train, held = seed_corpus.split(seed_corpus.load(given.corpus))
    rows = held if given.rows == "held_out" else train
    asked = choices(conversations.from_seed(rows, presets), given.most)
    model, tokenizer = load(given.starter)
    flat = [one for question in asked for one in question]
    after = likelihoods(model, tokenizer, flat, presets)
    anywhere = likelihoods(
        model, tokenizer, [Example(NOTHING, one.reply, one.preset, one.intensity) for one in flat], presets
    )
    gained = [one - two for one, two in zip(after, anywhere, strict=True)]
    for name, scores in (("likelihood", after), ("mutual information", gained)):
        rights = [first(scores[start : start + OTHERS + 1]) for start in range(0, len(scores), OTHERS + 1)]
        print(f"R10@1 by {name}: {interval(rights)}, {len(rights)} questions")


if __name__ == "__main__":
    main()
