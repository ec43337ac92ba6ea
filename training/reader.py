"""The bundled reader of messages: good news, bad news, small talk, a question about the bot, a question for advice.

Linear weights over hashed n-grams (`training.wide_part`), learned from the messages that open replies are made of
(`training.data.seed_open`), the seed corpus's in all their wordings and the posts; short lines count as the kind whose
tone they have. What it gets right is measured on messages that nobody learns from (`training.evaluation.kinds`). Knows
messages and their kinds; nothing of presets.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import Field

from models.reader import Reader
from models.wide import Wide
from storage.presets import KINDS, Presets
from training import recipes, wide_part
from training.data import hearing, posts, seed_corpus, seed_open
from training.data.emotions import Labelled
from training.runs import Run, hash_folder, whole

# Short lines lean on what was said before; alone they have a tone at most.
TONES = {"thanks": "good", "laugh": "good", "better": "good", "worse": "bad"}


class ReaderRecipe(recipes.Recipe):
    """Keys of `recipes/reader.yaml`."""

    words: int = Field(default=2, ge=1, description="Messages that a word or a pair of words must stand in.")
    letters: int = Field(default=3, ge=1, description="Messages that a run of letters must stand in.")
    regularisation: float = Field(default=4.0, gt=0, description="Inverse strength, as in scikit-learn's C.")
    smoothing: float = Field(default=0.3, gt=0, description="Of counts in the log-count ratios.")


def main(recipe: ReaderRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Learn and measure; returns the reader's folder."""
    run = Run(storage, "reader", recipe, resume)
    rows = messages()
    folders = {"seed": (seed_corpus.FOLDER, "*.txt"), "seed_open": (seed_open.FOLDER, "*.txt")}
    folders["posts"] = (posts.FOLDER, "*.tsv")
    run.manifest({"rows": len(rows), "sha256": {name: hash_folder(*where) for name, where in folders.items()}})
    how = wide_part.Learning((recipe.words, recipe.letters), recipe.regularisation, recipe.smoothing)
    learned = wide_part.fit(rows, np.ones(len(rows)).tolist(), how, KINDS)
    folder = recipe.output or run.folder / "reader"
    with whole(folder) as fresh:
        learned.save(fresh, KINDS)
    run.report(report(learned))
    return folder


def messages() -> list[Labelled]:
    """Messages with their kinds, but for those that the seed corpus holds out; one of each text."""
    found: dict[str, Labelled] = {}
    for one in hearing.every():
        kind = one.kind if one.kind in KINDS else TONES.get(one.kind, "plain")
        if not one.held_out:
            found.setdefault(one.text, Labelled(one.text, frozenset({kind}), one.source, frozenset(KINDS)))
    return list(found.values())


def report(learned: Wide) -> list[str]:
    """Of each set of messages whose kinds are told by hand: how many are read right, and good news as bad or bad as
    good."""
    from training.evaluation.kinds import SETS, told

    lines = ["| set | messages | right | good for bad, bad for good |", "| --- | --- | --- | --- |"]
    for name in SETS:
        known = told(name)
        read = Reader(learned).kinds([text for text, _ in known])
        right = sum(kind == found for (_, kind), found in zip(known, read, strict=True))
        crossed = sum({kind, found} == {"good", "bad"} for (_, kind), found in zip(known, read, strict=True))
        lines.append(f"| {name} | {len(known)} | {right / len(known):.3f} | {crossed} |")
    return lines
