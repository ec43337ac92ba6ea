"""The bundled reader of messages: good news, bad news, small talk, a question about the bot, a question for advice; and
what they are about.

Linear weights over hashed n-grams (`training.wide_part`), learned from the messages that open replies are made of
(`training.data.seed_open`), the seed corpus's in all their wordings and the posts; short lines count as the kind whose
tone they have. Subjects are learned from the messages that have one or are about none. What it gets right is measured
on messages that nobody learns from (`training.evaluation.kinds`). Knows messages, their kinds and subjects; nothing of
presets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from models.reader import SUBJECTS_IN, Reader
from models.subjects import ABOUT, TALK
from models.wide import Wide
from storage.presets import KINDS, Presets
from training import recipes, wide_part
from training.data import hearing, posts, seed_corpus, seed_open
from training.data.emotions import Labelled
from training.runs import Run, hash_folder, whole


class ReaderRecipe(recipes.Recipe):
    """Keys of `recipes/reader.yaml`."""

    words: int = Field(default=2, ge=1, description="Messages that a word or a pair of words must stand in.")
    letters: int = Field(default=3, ge=1, description="Messages that a run of letters must stand in.")
    regularisation: float = Field(default=4.0, gt=0, description="Inverse strength, as in scikit-learn's C.")
    smoothing: float = Field(default=0.3, gt=0, description="Of counts in the log-count ratios.")
    subject_words: int = Field(default=2, ge=1, description="As `words`, of what tells subjects.")
    subject_letters: int = Field(default=6, ge=1, description="As `letters`, of what tells subjects.")


def main(recipe: ReaderRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Learn and measure; returns the reader's folder."""
    run = Run(storage, "reader", recipe, resume)
    rows, about = messages(), subjects()
    folders = {"seed": (seed_corpus.FOLDER, "*.txt"), "seed_open": (seed_open.FOLDER, "*.txt")}
    folders["posts"] = (posts.FOLDER, "*.tsv")
    sums = {name: hash_folder(*where) for name, where in folders.items()}
    run.manifest({"rows": len(rows), "with_subjects": len(about), "sha256": sums})
    kinds = _learned(rows, KINDS, recipe, (recipe.words, recipe.letters))
    topics = _learned(about, ABOUT, recipe, (recipe.subject_words, recipe.subject_letters))
    folder = recipe.output or run.folder / "reader"
    with whole(folder) as fresh:
        kinds.save(fresh, KINDS)
        (fresh / SUBJECTS_IN).mkdir()
        topics.save(fresh / SUBJECTS_IN, ABOUT)
    run.report(report(Reader(kinds, subjects=topics)))
    return folder


def _learned(rows: Sequence[Labelled], labels: Sequence[str], recipe: ReaderRecipe, least: tuple[int, int]) -> Wide:
    how = wide_part.Learning(least, recipe.regularisation, recipe.smoothing)
    return wide_part.fit(rows, np.ones(len(rows)).tolist(), how, labels)


def messages() -> list[Labelled]:
    """Messages with their kinds, but for those that the seed corpus holds out; one of each text."""
    found: dict[str, Labelled] = {}
    for one in hearing.every():
        if not one.held_out:
            kind = frozenset({seed_open.tone(one.kind)})
            found.setdefault(one.text, Labelled(one.text, kind, one.source, frozenset(KINDS)))
    return list(found.values())


def subjects() -> list[Labelled]:
    """Messages with their subjects, or about none of them, and short lines said to the bot itself, but for those that
    the seed corpus holds out."""
    found: dict[str, Labelled] = {}
    for one in (*seed_open.messages(), *seed_open.typed(), *seed_open.broad()):
        subject = seed_open.topic(one) or one.subject
        known = subject in TALK or (one.kind in seed_open.FIRST and subject in ABOUT)
        if not one.held_out and known:
            found.setdefault(one.text, Labelled(one.text, frozenset({subject}), one.source, frozenset(ABOUT)))
    return list(found.values())


def report(reader: Reader) -> list[str]:
    """Of each set of messages whose kinds and subjects are told by hand: how many kinds are read right, good news
    as bad or bad as good; how many subjects it is sure of, and how many of these are right."""
    from training.evaluation.kinds import SETS, subjects_told, told

    lines = ["| set | messages | right | good for bad, bad for good | sure of a subject | right |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name in SETS:
        known = told(name)
        read = reader.kinds([text for text, _ in known])
        topics = reader.subjects([text for text, _ in known])
        right = sum(kind == found for (_, kind), found in zip(known, read, strict=True))
        crossed = sum({kind, found} == {"good", "bad"} for (_, kind), found in zip(known, read, strict=True))
        sure = [found == meant for found, meant in zip(topics, subjects_told(name), strict=True) if found]
        share = f"{len(sure) / len(known):.3f} | {np.mean(sure):.3f}" if sure else "0 | –"
        lines.append(f"| {name} | {len(known)} | {right / len(known):.3f} | {crossed} | {share} |")
    return lines
