"""What a refit goes on from and what it is compared with: the slot's adapter where that is healthy, else what the
worker has by itself; and the version that the slot began with, which never moves. Fetches files from the adapters'
store; trains nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from models.build import active_adapter, find_adapters
from models.errors import ModelsError
from models.settings import ModelsSettings
from storage import adapter_files
from storage.adapter_manifest import AdapterFilesError
from storage.contracts import ServedAdapter
from storage.database import Database
from storage.loop_tables import AdapterRow
from storage.settings import StorageSettings
from training.cycle.laying import base_path
from training.cycle.order import SHARED, Weights

log = structlog.get_logger(__name__)

Remark = tuple[str, str]
# Of what may be forgotten since the first version: who has used up so much of it hardly leaves room for another refit.
WORN = 0.75


async def weights(
    database: Database, storage: StorageSettings, slot: str, base: str
) -> tuple[Weights, Weights, tuple[Remark, ...]]:
    """`(start, incumbent, remarks)` for a refit of a slot on a base, as MODELS_BASE names it."""
    own = await asyncio.to_thread(by_itself, base)
    async with database.view() as unit:
        # A slot that was never pointed anywhere answers with the shared one's adapter.
        row = await unit.slots.get(slot) or await unit.slots.get(SHARED)
        adapter = await unit.adapters.get(row.active) if row is not None and row.active else None
    if adapter is None:
        return own, own, ()
    if unfit := reason(adapter, base):
        return own, own, (unfit,)
    try:
        found = await _fetched(adapter, storage)
    except AdapterFilesError as error:
        said = f"файлы адаптера {adapter.adapter_id} не читаются, обучение начато с исходного"
        return own, own, ((said, f"{adapter.adapter_id} cannot be read ({error}), so the refit started without it"),)
    if worn(adapter.metrics):
        return own, found, (_begun_again(adapter.adapter_id),)
    return found, found, ()


async def anchor(
    database: Database, storage: StorageSettings, slot: str, base: str, incumbent: Weights
) -> Weights | None:
    """The version that the slot began with: the worker's own adapter, or the first that answered where it has none, or
    the bare base. None where that is the incumbent: one comparison tells both then."""
    own = await asyncio.to_thread(by_itself, base)
    found = own if own.folder is not None else await _first(database, storage, slot, base) or own
    same = found.adapter_id == incumbent.adapter_id and (found.adapter_id or found.folder == incumbent.folder)
    return None if same else found


async def _first(database: Database, storage: StorageSettings, slot: str, base: str) -> Weights | None:
    """The oldest healthy adapter that was promoted in a slot, or in the shared one if nothing ever was."""
    async with database.view() as unit:
        changes = await unit.slots.changes(slot) or await unit.slots.changes(SHARED)
        names = [one.after for one in changes if one.action == "promote" and one.after]
        rows = [row for name in dict.fromkeys(names) if (row := await unit.adapters.get(name)) is not None]
    for row in rows:
        if reason(row, base) is None:
            try:
                return await _fetched(row, storage)
            except AdapterFilesError:
                continue
    return None


async def _fetched(adapter: AdapterRow, storage: StorageSettings) -> Weights:
    """AdapterFilesError where the files cannot be had."""
    try:
        folder = await asyncio.to_thread(_fetch, adapter, storage)
    except AdapterFilesError as error:
        log.warning("an adapter cannot be fetched", adapter=adapter.adapter_id, error=str(error))
        raise
    return Weights(adapter_id=adapter.adapter_id, folder=folder, base=adapter.base)


def worn(metrics: Mapping[str, Any] | None) -> bool:
    """Whether an adapter, by what the registry keeps of its gate, has forgotten nearly as much as may ever be."""
    check = (metrics or {}).get("anchor_perplexity")
    if not isinstance(check, Mapping) or not check.get("limit"):
        return False
    return float(check.get("bound") or 0.0) > WORN * float(check["limit"])


def _begun_again(name: str) -> Remark:
    return (
        f"адаптер {name} уже далеко ушёл от исходного: новый учится на всём сразу с исходного и сравнивается с {name}",
        f"{name} has drifted far from the first version: the refit starts from that one again, on all there is",
    )


def reason(adapter: AdapterRow, base: str) -> Remark | None:
    """Why a slot's adapter is neither gone on from nor compared with; None if it is healthy."""
    name = adapter.adapter_id
    if adapter.tainted_at is not None:
        return (
            f"адаптер {name} учился на данных человека, который попросил его забыть: новый обучен без него и с ним не "
            "сравнивается",
            f"{name} learned from somebody who asked to be forgotten: the refit leaves it out",
        )
    if adapter.kind != "lora":
        return (
            f"адаптер {name} вида {adapter.kind} так не дообучается, обучение начато с исходного",
            f"{name} is of kind {adapter.kind}, which a refit cannot go on from",
        )
    made_for = adapter.data.get("base") or adapter.base
    if not same_base(made_for, base):
        return (
            f"адаптер {name} сделан для другой модели ({made_for}), обучение начато с исходного",
            f"{name} was made for another base ({made_for})",
        )
    return None


def same_base(made_for: str, base: str) -> bool:
    """Whether a name of an adapter's base may mean ours: MODELS_BASE as it is, its folder wherever it lay, or a hub id
    with a commit. Hashes and commits are compared where the weights are loaded."""
    name, where = made_for.partition("@")[0].rstrip("/"), base_path(base)
    ours = {base, where}
    if Path(where).is_dir():
        place = Path(where).resolve()
        ours |= {str(place), f"{place.parent.name}/{place.name}"}
        return name in ours or name.endswith(f"/{place.parent.name}/{place.name}")
    return name in ours


def by_itself(base: str) -> Weights:
    """The adapter that a worker with these MODELS_… settings answers with when no slot says otherwise."""
    settings = ModelsSettings()
    if base != settings.base:
        return Weights()
    try:
        folders = find_adapters(settings)
        name = active_adapter(settings, folders)
    except ModelsError as error:
        log.warning("MODELS_ADAPTERS cannot be read; refits start from the bare base", error=str(error))
        return Weights()
    folder = folders.get(name) if name is not None else None
    lora = folder is not None and (folder / "adapter_model.safetensors").is_file()
    return Weights(folder=folder.absolute() if folder is not None and lora else None)


def _fetch(adapter: AdapterRow, storage: StorageSettings) -> Path:
    served = ServedAdapter(
        adapter_id=adapter.adapter_id, location=adapter.location, sha256=adapter.sha256, base=adapter.base
    )
    return adapter_files.fetch(served, storage.dir.absolute() / "training" / "adapters").absolute()
