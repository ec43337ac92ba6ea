"""The first step of a refit: freeze what people said, choose the method, mix its set, write its recipes.

Everything is done once: what is there already is kept, so that a refit that was killed goes on with the same sets.
Knows SQL through the feedback's reader only; no torch.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.contracts import now
from storage.database import Database
from storage.presets import Presets
from storage.settings import StorageSettings
from training import presets
from training.cycle import laying, replay
from training.cycle.choosing import Choice, Needs, choose
from training.cycle.order import SHARED, Order
from training.cycle.places import JobFolder
from training.cycle.replay import Frozen
from training.recipes import RecipeError
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.data.feedback import FeedbackLog

PRESETS = "presets"
KINDS = ("answers", "pairs", "feedback", "reward")


def prepare(folder: JobFolder, order: Order, storage: StorageSettings) -> Choice:
    """Frozen sets, plan and recipes; a choice without a method where there is too little to learn from."""
    told = folder.read("sets") or _freeze(folder, order, storage)
    made = folder.read("plan")
    if made is not None:
        return Choice(made["method"], tuple(made["ru"]), tuple(made["en"]))
    frozen = frozen_sets(folder, order.slot, told)
    counts = replay.count(frozen, people(told))
    choice = choose(counts, needs(order.settings), order.method)
    plan: dict[str, Any] = {**choice.as_json(), "rows": asdict(counts)}
    if choice.method is not None:
        known = emotions(folder, storage)
        plan["preference"] = _preference(folder, order, frozen, choice.method, known)
        _lay(folder, order, frozen, choice.method, known)
    folder.write("plan", plan)
    return choice


def needs(settings: TrainingSettings) -> Needs:
    """From how many rows on `auto` takes a method."""
    return Needs(pairs=settings.least_pairs, thumbs=settings.least_thumbs, answers=settings.least_answers)


def frozen_sets(folder: JobFolder, slot: str, told: dict[str, Any]) -> Frozen:
    """The sets that `sets.json` tells of."""
    return Frozen({kind: folder.path / place if place else None for kind, place in told["folders"].items()}, slot)


def _freeze(folder: JobFolder, order: Order, storage: StorageSettings) -> dict[str, Any]:
    folder.drop("sets", "plan.json")
    told = freeze(folder.sets, storage, order, emotions(folder, storage))
    told["folders"] = {
        kind: str(Path(place).relative_to(folder.path)) if place else None for kind, place in told["folders"].items()
    }
    folder.write("sets", told)
    return told


def emotions(folder: JobFolder, storage: StorageSettings) -> Presets:
    """The job's presets, as people met them when it began: every step, another attempt too, renders with the same."""
    known = folder.read(PRESETS)
    if known is not None:
        return Presets.model_validate(known)
    found = presets.met(storage)
    folder.write(PRESETS, found.model_dump(mode="json"))
    return found


def people(told: dict[str, Any]) -> int:
    """How many there are in the sets; an imported log's have no ids here, but are counted."""
    return int(told["counts"].get("people", len(told["people"])))


def freeze(place: Path, storage: StorageSettings, order: Order, known: Presets) -> dict[str, Any]:
    """People's sets under a folder: where each kind lies, counts, whose rows they are, the manifest."""
    from training.data import feedback

    began = now()
    rules = feedback.FeedbackRules(**order.settings.feedback)
    # A row in a preset that was removed since could not be rendered, and no refit would come to its end.
    ids = {one.id for one in known.presets}
    emotion = None if order.slot == SHARED else order.slot
    with feedback.import_log(order.log, emotion=emotion) if order.log else asyncio.run(_read(storage, emotion)) as log:
        found = feedback.freeze(log, place, rules, emotions=ids)
    return {
        "folders": {kind: str(where) if (where := getattr(found, kind)) else None for kind in KINDS},
        "counts": dict(found.counts),
        "people": sorted(found.people),
        "manifest": found.manifest,
        # Who is forgotten from now on may be in these sets.
        "at": began.isoformat(),
    }


async def _read(storage: StorageSettings, emotion: str | None) -> FeedbackLog:
    from training.data.feedback import read_log

    database = Database(storage.database())
    try:
        return await read_log(database, emotion=emotion)
    finally:
        await database.close()


def _lay(folder: JobFolder, order: Order, frozen: Frozen, method: str, presets: Presets) -> None:
    rows = replay.mix(method, frozen, folder.path / f"mixed_{method}", presets, order.settings.replay)
    laying.lay(order, folder, method, rows)


def _preference(folder: JobFolder, order: Order, frozen: Frozen, method: str, presets: Presets) -> bool:
    """Whether a preference model is fitted: for the gate where there are pairs enough, for RLHF always."""
    pairs = sum(1 for _ in frozen.train("reward"))
    if pairs < order.settings.preference_pairs:
        if method == "rlhf":
            raise RecipeError(
                f"rlhf learns from a preference model, which needs {order.settings.preference_pairs} pairs (there are "
                f"{pairs}): wait for more, or lower TRAINING_PREFERENCE_PAIRS"
            )
        return False
    _lay(folder, order, frozen, "reward", presets)
    return True
