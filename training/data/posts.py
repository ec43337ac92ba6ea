"""Reader of the posts: short Russian lines as people post them, written for this product, with their emotions.

`posts/*.tsv`: `labels<TAB>text`, labels joined by commas, `-` for none. Knows that folder; nothing of classifiers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.data.emotions import PUBLIC, Labelled, share

FOLDER = Path(__file__).with_name("posts")
NONE = "-"
# From this file on lines were written after what a classifier mistook, several after each: all of them are learned.
AFTER_MISTAKES = "11"
HELD = 0.1


class PostError(ValueError):
    """A line is not `labels<TAB>text`; the text says which and why."""


def load(folder: Path | None = None) -> tuple[list[Labelled], list[Labelled]]:
    """(train, held out): of the files written freely a tenth is held out, by text. PostError at a wrong line."""
    parts: tuple[list[Labelled], list[Labelled]] = ([], [])
    if not (paths := sorted((folder or FOLDER).glob("*.tsv"))):
        raise PostError(f"{folder or FOLDER} holds no posts (*.tsv)")
    for path in paths:
        for row in _rows(path):
            parts[path.stem < AFTER_MISTAKES and share(row.text, "posts") < HELD].append(row)
    return parts


def _rows(path: Path) -> Iterator[Labelled]:
    wanted = frozenset(PUBLIC) - {"neutral"}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        names, tab, text = line.partition("\t")
        given = [] if names == NONE else names.split(",")
        labels = frozenset(given)
        if not (tab and text.strip()) or not labels <= wanted or len(labels) < len(given):
            known = ", ".join(sorted(wanted))
            raise PostError(
                f"{path.name}:{number}: not «labels<TAB>text» with labels of {known}, each once, or «{NONE}»"
            )
        yield Labelled(text, labels or frozenset({"neutral"}), "posts")
