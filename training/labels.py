"""Labels of a set: what rows carry, which labels there are, what each one weighs in the loss. Pure; no network.

Labels are named as serving names them (`models.classifier.normalise`), so «грусть» and `sadness` are one label.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.classifier import normalise
from training.data.emotions import Labelled, share
from training.data.rows import Answer, Row, Text
from training.recipes import RecipeError

Task = Literal["single", "multi"]
UNKNOWN = -100  # the target of a label that a row's source never speaks about


class LabelError(RecipeError):
    """Labels do not fit the task or the recipe, or are too rare to learn; the text names them and says what to do."""


@dataclass(frozen=True)
class Survey:
    """What one pass over the training rows found. `silent`: rows by label whose source never gives that label."""

    rows: int
    unlabelled: int
    counts: Mapping[str, int]
    silent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """The labels of a run in the order of the network's outputs.

    `unsaid`: beginnings of rows' origins (a file's name) → labels that such rows never carry even where they fit.
    """

    task: Task
    names: tuple[str, ...]
    unsaid: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def read(self, rows: Iterable[Row]) -> Iterator[Labelled]:
        """Labelled rows, those without labels left out; LabelError at the first that does not fit."""
        for row in rows:
            labels = labels_of(row)
            if labels is not None:
                self._check(row, labels)
                yield Labelled(text_of(row), labels, row.origin, frozenset(self.names) - never(row, self.unsaid))

    def target(self, row: Labelled) -> int | list[float]:
        """The index of a single label; for several, 1 or 0 a label, UNKNOWN where the row's source never says it."""
        if self.task == "single":
            return self.names.index(next(iter(row.labels)))
        return [float(one in row.labels) if one in row.known else float(UNKNOWN) for one in self.names]

    def _check(self, row: Row, labels: frozenset[str]) -> None:
        where = row.origin or "a row"
        if strange := sorted(labels - set(self.names)):
            raise LabelError(
                f"data: {where} has the label '{strange[0]}', which is not among the labels of this run "
                f"({', '.join(self.names)}): add it to `labels`, or leave such rows out of the data"
            )
        if self.task == "single" and len(labels) != 1:
            found = f"labels {', '.join(sorted(labels))}" if labels else "none of the labels"
            raise LabelError(f"data: {where} has {found}; task: single needs one label a row, task: multi takes any")


def labels_of(row: Row) -> frozenset[str] | None:
    """The labels of a text, or the emotion of an answer; None if it was not labelled."""
    if isinstance(row, Text):
        return None if row.labels is None else frozenset(map(normalise, row.labels))
    if isinstance(row, Answer):
        return None if row.emotion is None else frozenset({normalise(row.emotion)})
    kind = type(row).__name__.lower()
    raise LabelError(f"data: {row.origin or 'a row'} is of kind '{kind}'; a classifier learns from texts and answers")


def text_of(row: Row) -> str:
    """What is classified: the text, or the answer without its dialogue."""
    return row.text if isinstance(row, Text) else row.answer if isinstance(row, Answer) else ""


def never(row: Row, unsaid: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Labels that a row's source never gives; what a row does carry is never among them."""
    silent = frozenset[str]().union(*(found for start, found in unsaid.items() if row.origin.startswith(start)))
    return silent - (labels_of(row) or frozenset())


def survey(rows: Iterable[Row], unsaid: Mapping[str, frozenset[str]] | None = None) -> Survey:
    """Count labels in one pass."""
    counts: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    labelled = unlabelled = 0
    for row in rows:
        labels = labels_of(row)
        if labels is None:
            unlabelled += 1
            continue
        labelled += 1
        counts.update(labels)
        silent.update(never(row, unsaid or {}))
    return Survey(labelled, unlabelled, dict(counts), dict(silent))


def choose(found: Survey, task: Task, wanted: Sequence[str] | None, own: Sequence[str], least: int) -> tuple[str, ...]:
    """The labels in order: as wanted; else those found, ordered as the base has them where it has just these.

    LabelError if a label has fewer than `least` training rows, or if there is nothing to tell apart.
    """
    if not found.rows:
        raise LabelError(
            f"data: none of {found.unlabelled} rows is labelled; texts need `labels`, answers an `emotion`"
        )
    names = tuple(wanted) if wanted else tuple(own) if set(own) == set(found.counts) else tuple(sorted(found.counts))
    if len(names) < (2 if task == "single" else 1):
        raise LabelError(f"data: all {found.rows} rows have the same label ({', '.join(names) or 'none'})")
    rare = [f"'{name}' has {found.counts.get(name, 0)}" for name in names if found.counts.get(name, 0) < least]
    if rare:
        raise LabelError(
            f"data: too few training rows to learn a label from: {', '.join(rare)}, {least} are needed: add rows, "
            "leave the label out of the data and of `labels`, or lower `least_rows`"
        )
    return names


def inverse_frequency(found: Survey, names: Sequence[str], task: Task, most: float) -> dict[str, float]:
    """Class weights between 1 / `most` and `most`.

    Single: rows / (labels × rows of the label), so that every label weighs the same in all; multi: rows without the
    label / rows with it, the weight of a present label against an absent one.
    """
    weights: dict[str, float] = {}
    for name in names:
        count = found.counts[name]
        absent = found.rows - found.silent.get(name, 0) - count
        weight = found.rows / (len(names) * count) if task == "single" else absent / count
        weights[name] = min(most, max(1 / most, weight))
    return weights


def given_weights(given: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """A recipe's own weights, 1 for labels that it does not name; LabelError for labels that there are not."""
    if strange := sorted(set(given) - set(names)):
        raise LabelError(f"class_weights: there is no label '{strange[0]}' here, only {', '.join(names)}")
    return {name: given.get(name, 1.0) for name in names}


def halves(rows: Sequence[Labelled]) -> list[bool]:
    """Two halves of rows, the same for the same texts, in which every combination of labels stands equally often."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[tuple(sorted(row.labels))].append(index)
    side, found = False, [False] * len(rows)
    for _, members in sorted(groups.items()):
        for index in sorted(members, key=lambda one: (share(rows[one].text, "halves"), one)):
            found[index] = side = not side
    return found
