"""From rows that could be to those of a set: who is believed, how much of one person counts, what is balanced.

Every step counts what it took in and dropped. Knows columns of numbers, no texts and no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from training.data.feedback import peers, selecting
from training.data.feedback.gathering import Gathered, Habits
from training.data.feedback.reliability import Reliability, reliability
from training.data.feedback.rules import FeedbackRules
from training.data.feedback.shelf import HELD_OUT, TRAIN, Columns, Floats, Ints
from training.data.steps.keys import key

# Sets, and the shelf that each is of.
SETS: Mapping[str, str] = {
    "feedback": "feedback",
    "pairs": "pairs",
    "reward": "pairs",
    "answers": "answers",
    "ai_pairs": "ai_pairs",
}


@dataclass
class Chosen:
    """Places of a set's rows in the order in which they are written, and what every step did."""

    train: Ints
    held_out: Ints
    steps: list[dict[str, Any]] = field(default_factory=list)

    def note(self, step: str, part: int, before: Ints, after: Ints, **dropped: int) -> Ints:
        """Count a step."""
        gone = len(before) - len(after)
        entry: dict[str, Any] = {"step": step, "of": "held_out" if part else "train"}
        entry |= {"in": len(before), "out": len(after)}
        reasons = dropped if dropped else {step: gone}
        if gone:
            entry["dropped"] = {name: count for name, count in sorted(reasons.items()) if count}
        if len(before):
            self.steps.append(entry)
        return after


def choose(gathered: Gathered, rules: FeedbackRules) -> tuple[dict[str, Chosen], Reliability]:
    """The rows of every set, and who was believed how far."""
    believed = _believe(gathered, rules)
    chosen = {
        name: _of_set(name, gathered.columns[kind], gathered.habits[kind], believed, rules)
        for name, kind in SETS.items()
    }
    learned = np.unique(
        np.concatenate([gathered.columns[SETS[name]].prompt[one.train] for name, one in chosen.items()])
    )
    for name, one in chosen.items():
        prompts = gathered.columns[SETS[name]].prompt[one.held_out]
        unseen = one.held_out[~np.isin(prompts, learned)]
        one.held_out = one.note("same_prompt", HELD_OUT, one.held_out, unseen)
    return chosen, believed


def _believe(gathered: Gathered, rules: FeedbackRules) -> Reliability:
    """Who agrees with others where several judged the same, and with what others like where nobody else did."""
    both = [gathered.columns["feedback"], gathered.columns["pairs"]]
    found = reliability(
        np.concatenate([one.group for one in both]),
        np.concatenate([one.rater for one in both]),
        np.concatenate([one.sign for one in both]),
        len(gathered.raters),
        rules,
    )
    against = np.flatnonzero(_taste(gathered, rules) < -NormalDist().inv_cdf(rules.peer_certainty))
    return replace(found, left_out=np.union1d(found.left_out, against))


def _taste(gathered: Gathered, rules: FeedbackRules) -> Floats:
    """How far each rater's thumbs go with what others like, as a standard score."""
    thumbs = gathered.columns["feedback"]
    keep = np.flatnonzero(thumbs.part == TRAIN)
    keep = selecting.two_sided(keep, thumbs, gathered.habits["feedback"], rules.one_sided)
    # Sums are made in an order of the rows' own, so that the last bit does not hang on who came first.
    keep = keep[np.lexsort((thumbs.line[keep], thumbs.order[keep]))]
    length = np.log(np.maximum(thumbs.length[keep], 1))
    features = np.column_stack([thumbs.fit[keep], length, length**2])
    folds = np.array([key(rater, "fold") % peers.FOLDS for rater in gathered.raters], dtype=np.int64)
    return peers.scores(features, thumbs.sign[keep], thumbs.rater[keep], folds)


def _of_set(name: str, columns: Columns, habits: Habits, believed: Reliability, rules: FeedbackRules) -> Chosen:
    empty = np.zeros(0, dtype=np.int64)
    chosen = Chosen(empty, empty)
    for part in (TRAIN, HELD_OUT):
        keep = np.flatnonzero(columns.part == part)
        if name == "pairs":
            keep = keep[columns.reward[keep] == 0]
        keep = _believed(chosen, part, keep, columns, habits, believed, rules)
        if part == TRAIN:
            keep = _balanced(chosen, name, keep, columns, rules)
        keep = keep[np.lexsort((columns.line[keep], columns.order[keep]))]
        if part == TRAIN:
            chosen.train = _enough(chosen, keep, columns, rules)
        else:
            chosen.held_out = keep
    return chosen


def _believed(
    chosen: Chosen, part: int, keep: Ints, columns: Columns, habits: Habits, believed: Reliability, rules: FeedbackRules
) -> Ints:
    """What is left of habits, disputes, repetitions and busy people."""
    trusted = selecting.of_trusted(keep, columns, believed.left_out)
    keep = chosen.note("rater_left_out", part, keep, trusted)
    keep = chosen.note("one_sided", part, keep, selecting.two_sided(keep, columns, habits, rules.one_sided))
    kept, disputed, repeated = selecting.voted(keep, columns, believed.weights, rules.majority)
    keep = chosen.note("votes", part, keep, kept, disputed=disputed, repeated=repeated)
    return chosen.note("person_cap", part, keep, selecting.capped(keep, columns, rules))


def _balanced(chosen: Chosen, name: str, keep: Ints, columns: Columns, rules: FeedbackRules) -> Ints:
    if name == "feedback":
        even = selecting.balanced_thumbs(keep, columns, rules.most_weight)
        return chosen.note("class_balance", TRAIN, keep, even)
    if name in ("pairs", "reward", "ai_pairs"):
        short = selecting.not_much_longer(keep, columns, rules.longer_ratio, rules.longer_characters)
        keep = chosen.note("much_longer", TRAIN, keep, short)
        even = selecting.balanced_lengths(keep, columns, rules.length_share, rules.length_least)
        return chosen.note("length_balance", TRAIN, keep, even)
    return keep


def _enough(chosen: Chosen, keep: Ints, columns: Columns, rules: FeedbackRules) -> Ints:
    people = len(np.unique(columns.rater[keep]))
    few = len(keep) < rules.least_rows or people < rules.least_people
    return chosen.note("too_few", TRAIN, keep, keep[:0] if few else keep)
