"""The frozen split that all methods learn from and are judged on: answers, and pairs of a better and a worse answer.

One source gives both, so that no method sees a prompt that another is judged on. Knows rows, no method.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training.data import build, sets
from training.data.data_recipe import DataRecipe
from training.data.rows import Answer, Pair, Row, dump
from training.data.sets import EmptySet, PreparedSet
from training.recipes import RecipeError

SEED = "seed"
NO_PAIRS = (
    "{data} has neither pairs nor several answers in different emotions to one prompt: give a set of pairs with --pairs"
)


@dataclass(frozen=True)
class Frozen:
    """Sets in a bench's folder; `pairs` is why there are none where the source has none."""

    answers: PreparedSet
    pairs: PreparedSet | str

    def folder(self, learns: str, rows: int | None = None) -> Path | None:
        """The set of a kind, `rows` of it where a number is given; None for `own`. RecipeError without pairs."""
        if learns == "own":
            return None
        if learns == "pairs" and isinstance(self.pairs, str):
            raise RecipeError(self.pairs)
        whole = self.pairs if learns == "pairs" and not isinstance(self.pairs, str) else self.answers
        return whole.folder if rows is None else fewer(whole, rows).folder

    def about(self) -> dict[str, Any]:
        """Hashes and sizes, for the plan."""
        both = {"answers": self.answers, **({} if isinstance(self.pairs, str) else {"pairs": self.pairs})}
        return {name: {"rows": one.manifest["rows"], "sha256": one.manifest["sha256"]} for name, one in both.items()}


def fewer(whole: PreparedSet, rows: int) -> PreparedSet:
    """A set beside `whole` with `rows` of its training rows, in their order, and the same held-out ones.

    Which rows is a function of each row alone, and a smaller number's rows are among a larger one's.
    """
    folder = whole.folder.with_name(f"{whole.folder.name}-{rows}")
    if not (folder / sets.MANIFEST).is_file():
        marks = [hashlib.blake2b(dump(row).encode(), digest_size=8).digest() for row in whole.train(Row)]
        chosen = set(sorted(range(len(marks)), key=lambda place: (marks[place], place))[:rows])
        kept = (row for place, row in enumerate(whole.train(Row)) if place in chosen)
        return sets.write(folder, kept, whole.held_out(Row), {"made_of": dict(whole.manifest)})
    return sets.load(folder)


def freeze(data: str, pairs: str | None, folder: Path, presets: Presets, seed: int = 0) -> Frozen:
    """The split of `data`: `seed` (the bundled corpus), a prepared set of answers or pairs, or a data recipe's file.

    `pairs` names a set of pairs where `data` has answers only. What is in `folder` already stays as it is.
    """
    own, both = folder / "answers", folder / "pairs"
    if not (own / sets.MANIFEST).is_file():
        _fill(data, own, both, folder, presets, seed)
    if pairs and not (both / sets.MANIFEST).is_file():
        other = build.prepared(Path(pairs), folder, presets, seed)
        _write(both, _only_pairs(other.train(Row)), _only_pairs(other.held_out(Row)), other)
    if (both / sets.MANIFEST).is_file():
        return Frozen(sets.load(own), sets.load(both))
    return Frozen(sets.load(own), NO_PAIRS.format(data=data))


def contrasts(rows: Iterable[Row], seed: int = 0) -> Iterator[Pair]:
    """Pairs as they are; of answers to one prompt, each against one in another emotion to the same prompt.

    Which one is a function of prompt, answer and seed, so that rows elsewhere change nothing.
    """
    replies: dict[str, list[Answer]] = defaultdict(list)
    for row in rows:
        if isinstance(row, Pair):
            yield row
        elif isinstance(row, Answer) and row.emotion is not None:
            replies["\n".join(f"{turn.role}: {turn.text}" for turn in row.prompt)].append(row)
    for prompt, own in replies.items():
        for row in own:
            others = [one.answer for one in own if one.emotion != row.emotion and one.answer != row.answer]
            if others:
                chosen = random.Random(f"{seed}:{prompt}:{row.emotion}:{row.answer}").choice(others)
                shared = row.model_dump(exclude={"kind", "answer"})
                yield Pair(**shared, chosen=row.answer, rejected=chosen)


def answers(rows: Iterable[Row]) -> Iterator[Answer]:
    """Answers as they are, and the better ones of pairs; RecipeError for other kinds."""
    for row in rows:
        if isinstance(row, Answer):
            yield row
        elif isinstance(row, Pair):
            yield Answer(**row.model_dump(exclude={"kind", "chosen", "rejected"}), answer=row.chosen)
        else:
            kind = type(row).model_fields["kind"].default
            raise RecipeError(f"data: the bench learns from answers or pairs, the set has rows of kind '{kind}'")


def _fill(data: str, own: Path, both: Path, folder: Path, presets: Presets, seed: int) -> None:
    """Answers last, so that a killed start begins anew; pairs where the source has what they are made of."""
    if data == SEED:
        for kind, place in (("pair", both), ("answer", own)):
            source = {"read": SEED, **({"kind": kind} if kind == "pair" else {})}
            recipe = DataRecipe.model_validate({"sources": {SEED: source}, "split": {"by": "tag"}})
            build.build(recipe, place, presets, seed)
        return
    given = build.prepared(Path(data), folder, presets, seed)
    with contextlib.suppress(EmptySet):
        _write(both, contrasts(given.train(Row), seed), contrasts(given.held_out(Row), seed), given)
    _write(own, answers(given.train(Row)), answers(given.held_out(Row)), given)


def _write(folder: Path, train: Iterable[Row], held_out: Iterable[Row], source: PreparedSet) -> None:
    sets.write(folder, train, held_out, {"made_of": dict(source.manifest)})


def _only_pairs(rows: Iterable[Row]) -> Iterator[Pair]:
    for row in rows:
        if not isinstance(row, Pair):
            raise RecipeError("--pairs: the set has other rows than pairs of a better and a worse answer")
        yield row
