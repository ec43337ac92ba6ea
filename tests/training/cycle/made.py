"""Frozen feedback in miniature, made of the seed corpus: what the first step of a refit would have left."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from storage.contracts import now
from storage.presets import load_presets
from training.cycle.places import JobFolder
from training.data import sets
from training.data.reading import shipped
from training.data.rows import Answer, Feedback, Pair, Row

PEOPLE = (1, 2, 3)
# Everything as small as it can be: what is tested is the way, not the adapter.
SMALL: dict[str, Any] = {"steps": 4, "rows": 2, "longest": 96, "measure_rows": 2, "save_steps": 1, "log_steps": 1}
LENIENT: dict[str, Any] = {
    "least_prompts": 20,
    "least_texts": 20,
    "least_compared": 20,
    "need_opinion": False,
    "margin_emotion": 1.0,
    "margin_faults": 1.0,
    "margin_repetition": 1.0,
    "margin_profanity": 1.0,
    "most_forgetting": 100.0,
    "most_longer": 100.0,
    "suspicions": False,
}


@cache
def _pairs() -> tuple[Pair, ...]:
    found = [row for row in shipped.pairs(None, load_presets()) if row.tags["split"] == "train"]
    random.Random(1).shuffle(found)
    return tuple(found)


def freeze(folder: JobFolder, *, thumbs: int = 40, pairs: int = 0, answers: int = 0) -> None:
    """Sets and `sets.json` as the first step leaves them: the first rows of the seed corpus, said by three people."""
    folder.make()
    found = _pairs()
    judged: list[Row] = []
    for row in found[: (thumbs + 1) // 2]:
        judged += [_thumb(row, True), _thumb(row, False)]
    written: dict[str, Sequence[Row]] = {
        "feedback": judged[:thumbs],
        "pairs": [_pair(row) for row in found[:pairs]],
        "reward": [_pair(row) for row in found[:pairs]],
        "answers": [_answer(row) for row in found[:answers]],
    }
    told = {kind: _set(folder, kind, rows) for kind, rows in written.items()}
    folder.write(
        "sets",
        {
            "folders": told,
            "counts": {kind: len(rows) for kind, rows in written.items()},
            "people": list(PEOPLE),
            "manifest": {"made": "for a test"},
            "at": now().isoformat(),
        },
    )


def _set(folder: JobFolder, kind: str, rows: Sequence[Row]) -> str | None:
    if not rows:
        return None
    held = max(1, len(rows) // 10)
    sets.write(folder.sets / kind, rows[held:], rows[:held], {"kind": kind})
    return f"sets/{kind}"


def _shared(row: Pair) -> dict[str, Any]:
    return {"prompt": row.prompt, "emotion": row.emotion, "intensity": row.intensity, "person": "someone"}


def _thumb(row: Pair, good: bool) -> Feedback:
    return Feedback(**_shared(row), answer=row.chosen if good else row.rejected, desirable=good)


def _pair(row: Pair) -> Pair:
    return Pair(**_shared(row), chosen=row.chosen, rejected=row.rejected)


def _answer(row: Pair) -> Answer:
    return Answer(**_shared(row), answer=row.chosen)
