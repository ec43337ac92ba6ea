"""What a refit goes on from and what it is compared with: the slot's adapter where that is healthy, else what the
worker has by itself. Fetches files from the adapters' store; trains nothing.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

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
        folder = await asyncio.to_thread(_fetch, adapter, storage)
    except AdapterFilesError as error:
        log.warning("the slot's adapter cannot be fetched", adapter=adapter.adapter_id, error=str(error))
        said = f"файлы адаптера {adapter.adapter_id} не читаются, обучение начато с исходного"
        return own, own, ((said, f"{adapter.adapter_id} cannot be read ({error}), so the refit started without it"),)
    found = Weights(adapter_id=adapter.adapter_id, folder=folder, base=adapter.base)
    return found, found, ()


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
