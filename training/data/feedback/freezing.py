"""`freeze`: a feedback log becomes frozen sets, one a kind of row. The same feedback gives the same bytes.

Knows the order of things – gather, choose, write – and where files lie; each step is another file's.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data import sets
from training.data.feedback.choosing import SETS, Chosen, choose
from training.data.feedback.gathering import WITH, Gathered, gather
from training.data.feedback.log import FeedbackLog
from training.data.feedback.pseudonyms import KEY_FILE
from training.data.feedback.reliability import Reliability
from training.data.feedback.rules import FeedbackRules
from training.data.feedback.shelf import Ints, Shelf
from training.data.rows import Row
from training.objectives import kto_weights

# Raised when the same log under the same rules gives other rows.
VERSION = 2
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FeedbackSets:
    """Frozen sets' folders by kind, None where nothing was said of the kind; all lie in `folder`.

    `reward`: the pairs, and pairs of variants that one person judged oppositely. `people`: user ids of everybody whose
    words or judgements stand in a set, held-out rows too; empty for an imported log, whose persons are no user ids.
    """

    folder: Path
    feedback: Path | None
    pairs: Path | None
    reward: Path | None
    answers: Path | None
    ai_pairs: Path | None
    counts: Mapping[str, Any]
    people: frozenset[int]
    manifest: Mapping[str, Any]


def freeze(
    entries: FeedbackLog,
    folder: Path,
    rules: FeedbackRules | None = None,
    *,
    emotions: Collection[str] | None = None,
) -> FeedbackSets:
    """Write the sets of a log into `folder`, which is made anew, readable by its owner only.

    `emotions`: ids of presets that there are; answers in others, which were removed since, are left out: no method
    could render them. None: nothing is left out.
    Nothing to learn from is no error: every set is None then.
    """
    rules = rules or FeedbackRules()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".work") as work:
        gathered = gather(entries, rules, Path(work), emotions)
        try:
            return _write(entries, gathered, folder, rules)
        finally:
            gathered.close()


def _write(entries: FeedbackLog, gathered: Gathered, folder: Path, rules: FeedbackRules) -> FeedbackSets:
    chosen, believed = choose(gathered, rules)
    gathered.pseudonyms.write(folder / KEY_FILE)
    shared = _shared(entries, rules)
    written: dict[str, sets.PreparedSet | None] = {}
    names: set[str] = set()
    for name, one in chosen.items():
        shelf = gathered.shelves[SETS[name]]
        # What nobody learns from needs no held-out rows.
        written[name] = _one(name, shelf, one, folder, shared, names) if len(one.train) else None
    people = {gathered.persons[name] for name in names}
    counts = _counts(entries, gathered, chosen, written, believed, people)
    manifest = {**shared, "counts": counts, "sets": {name: _identity(one) for name, one in written.items()}}
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    places = {name: one.folder if one else None for name, one in written.items()}
    ids = frozenset(map(int, people)) if entries.numbered else frozenset[int]()
    return FeedbackSets(folder=folder, counts=counts, people=ids, manifest=manifest, **places)


def _one(
    name: str, shelf: Shelf, chosen: Chosen, folder: Path, shared: Mapping[str, Any], names: set[str]
) -> sets.PreparedSet:
    entry: dict[str, Any] = {**shared, "kind": name, "steps": chosen.steps}
    marks: Counter[str] = Counter()

    def rows(places: Ints, part: str) -> Iterator[Row]:
        for row in shelf.spool.read(places.tolist()):
            names.add(row.person)
            names.update(row.tags.get(WITH, "").split())
            if part == "train":
                marks["desirable" if getattr(row, "desirable", True) else "undesirable"] += 1
                marks[f"signal {row.tags['signal']}"] += 1
            yield row

    def held_out() -> Iterator[Row]:
        # All training rows are through by now, and the manifest is not written yet.
        entry["signals"] = {mark[7:]: count for mark, count in sorted(marks.items()) if mark.startswith("signal ")}
        if name == "feedback":
            liked, disliked = marks["desirable"], marks["undesirable"]
            entry["weights"] = dict(zip(("desirable", "undesirable"), kto_weights(liked, disliked), strict=True))
            entry["thumbs"] = {"desirable": liked, "undesirable": disliked}
        yield from rows(chosen.held_out, "held_out")

    return sets.write(folder / name, rows(chosen.train, "train"), held_out(), entry)


def _shared(entries: FeedbackLog, rules: FeedbackRules) -> dict[str, Any]:
    return {
        "feedback": entries.digest(),
        "rules": rules.model_dump(mode="json"),
        "tools": {"feedback": str(VERSION), "unicode": unicodedata.unidata_version},
    }


def _identity(one: sets.PreparedSet | None) -> dict[str, Any] | None:
    return {"rows": one.manifest["rows"], "sha256": one.manifest["sha256"]} if one else None


def _thumbs(written: sets.PreparedSet | None) -> dict[str, int]:
    found: dict[str, int] = written.manifest["thumbs"] if written else {"desirable": 0, "undesirable": 0}
    return found


def _counts(
    entries: FeedbackLog,
    gathered: Gathered,
    chosen: Mapping[str, Chosen],
    written: Mapping[str, sets.PreparedSet | None],
    believed: Reliability,
    people: set[str],
) -> dict[str, Any]:
    rows = {name: one.manifest["rows"] if one else {} for name, one in written.items()}
    return {
        "entries": len(entries),
        "ratings": entries.ratings,
        "left_out_on_reading": dict(sorted(entries.counts.items())),
        "taught_nothing": dict(sorted(gathered.counts.items())),
        "scrubbed": dict(sorted((str(kind), count) for kind, count in gathered.found.items())),
        "steps": {name: one.steps for name, one in chosen.items()},
        "rows": {name: one.get(sets.TRAIN, 0) for name, one in rows.items()},
        "held_out": {name: one.get(sets.HELD_OUT, 0) for name, one in rows.items()},
        "thumbs": _thumbs(written["feedback"]),
        "people": len(people),
        "raters": len(gathered.raters),
        "raters_left_out": len(believed.left_out),
    }
