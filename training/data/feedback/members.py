"""Whose rows stand in frozen sets, by the ids that are known here: for adapters that were trained by hand.

Knows set folders and the keys that lie beside them; no SQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.data import sets
from training.data.feedback.gathering import WITH
from training.data.feedback.pseudonyms import KEY_FILE, Pseudonyms
from training.recipes import RecipeError


def members(folder: Path, known: Iterable[int]) -> set[int]:
    """Those of `known` whose words or judgements stand in a set, or in any set under the folder.

    RecipeError where there is no set, or no key that says who people are.
    """
    trains = [folder / sets.TRAIN] if (folder / sets.TRAIN).is_file() else sorted(folder.rglob(sets.TRAIN))
    if not trains:
        raise RecipeError(f"{folder} holds no set: name a folder that `otklik data feedback build` wrote")
    key = next((place / KEY_FILE for place in (folder, *folder.absolute().parents[:2]) if _has_key(place)), None)
    if key is None:
        raise RecipeError(f"{folder}: there is no {KEY_FILE} beside the sets, so nobody can be told by their rows")
    names = {name for train in trains for place in (train, train.with_name(sets.HELD_OUT)) for name in _names(place)}
    pseudonyms = Pseudonyms.read(key)
    return {one for one in known if pseudonyms.name(str(one)) in names}


def _has_key(folder: Path) -> bool:
    return (folder / KEY_FILE).is_file()


def _names(path: Path) -> Iterator[str]:
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            if row.get("person"):
                yield row["person"]
            yield from row.get("tags", {}).get(WITH, "").split()
