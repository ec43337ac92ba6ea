"""One pass over a log: every row that could be, on a shelf by kind, with its people under other names and on their side
of the split. Knows no choice among rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.data.data_recipe import Split
from training.data.feedback.deriving import Deriver, Lesson
from training.data.feedback.entry import Entry
from training.data.feedback.log import FeedbackLog
from training.data.feedback.pseudonyms import Pseudonyms
from training.data.feedback.rules import FeedbackRules
from training.data.feedback.scrubbing import Scrubber
from training.data.feedback.shelf import HELD_OUT, TRAIN, Columns, Shelf
from training.data.rows import Answer, Feedback, Pair, Text
from training.data.splitting import is_held_out

KINDS = ("feedback", "pairs", "answers", "ai_pairs")
WITH = "with"
Habits = Mapping[tuple[int, int], int]


@dataclass(frozen=True)
class Gathered:
    """Rows to be. Raters are numbered by their ids. `persons`: whose other name each is. `habits`: by kind, judgements
    that are no rows but tell of a habit: how many by (rater, side)."""

    shelves: Mapping[str, Shelf]
    columns: Mapping[str, Columns]
    raters: tuple[str, ...]
    habits: Mapping[str, Habits]
    persons: Mapping[str, str]
    counts: Counter[str]
    found: Counter[str]
    pseudonyms: Pseudonyms

    def close(self) -> None:
        """Let the rows go."""
        for shelf in self.shelves.values():
            shelf.spool.close()


@dataclass
class _Gathering:
    rules: FeedbackRules
    pseudonyms: Pseudonyms
    shelves: Mapping[str, Shelf]
    raters: dict[str, int] = field(default_factory=dict)
    habits: dict[str, Counter[tuple[str, int]]] = field(default_factory=lambda: {kind: Counter() for kind in KINDS})
    names: dict[str, str] = field(default_factory=dict)
    held_out: dict[str, bool] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry, lesson: Lesson) -> None:
        part = self._part({entry.person, *entry.others, lesson.rater})
        if part is None:
            self.counts["mixed_split"] += 1
        elif lesson.row is None:
            self.habits[lesson.kind][lesson.rater, lesson.side] += 1
        else:
            rater = self.raters.setdefault(lesson.rater, len(self.raters))
            row = self._signed(entry, lesson.rater, lesson.row)
            self.shelves[lesson.kind].add(row, rater=rater, part=part, side=lesson.side, reward=lesson.reward)

    def _part(self, people: set[str]) -> int | None:
        """On which side of the split a row is: None if its people are on both, so that it must be on neither."""
        held = {self._held_out(person) for person in people}
        return None if len(held) > 1 else HELD_OUT if True in held else TRAIN

    def _held_out(self, person: str) -> bool:
        if person not in self.held_out:
            split = Split(by="person", held_out=self.rules.held_out)
            self.held_out[person] = is_held_out(Text(text="-", person=person), split)
        return self.held_out[person]

    def _signed(self, entry: Entry, rater: str, row: Feedback | Pair | Answer) -> Feedback | Pair | Answer:
        """The row with its people under other names: whose dialogue it is, and who else has a part in it."""
        tags = dict(row.tags)
        if others := {*entry.others, rater} - {entry.person}:
            tags[WITH] = " ".join(sorted(map(self._name, others)))
        return row.model_copy(update={"person": self._name(entry.person), "tags": dict(sorted(tags.items()))})

    def _name(self, person: str) -> str:
        if person not in self.names:
            self.names[person] = self.pseudonyms.name(person)
        return self.names[person]


def gather(entries: FeedbackLog, rules: FeedbackRules, work: Path, emotions: Collection[str] | None = None) -> Gathered:
    """Every row that could be, of these emotions; texts lie in `work`."""
    pseudonyms = Pseudonyms.of(entries.digest())
    scrubber = Scrubber(names=rules.names, off=not rules.scrub)
    deriver = Deriver(rules, scrubber)
    shelves = {kind: Shelf(work / f"{kind}.jsonl") for kind in KINDS}
    made = _Gathering(rules, pseudonyms, shelves)
    for entry in entries:
        if emotions is not None and entry.emotion not in emotions:
            made.counts["no_such_preset"] += 1
            continue
        for lesson in deriver.lessons(entry):
            made.add(entry, lesson)
    order = sorted(made.raters)
    places = {rater: place for place, rater in enumerate(order)}
    ranks = np.array([places[rater] for rater in made.raters], dtype=np.int64)
    columns = {kind: shelf.columns().with_raters(ranks) for kind, shelf in shelves.items()}
    return Gathered(
        shelves=shelves,
        columns=columns,
        raters=tuple(order),
        # Who has no row needs no habits.
        habits={
            kind: {(places[rater], side): count for (rater, side), count in one.items() if rater in places}
            for kind, one in made.habits.items()
        },
        persons={name: person for person, name in made.names.items()},
        counts=deriver.counts + made.counts,
        found=scrubber.found,
        pseudonyms=pseudonyms,
    )
