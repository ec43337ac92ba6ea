"""What the registry reads and writes in one unit of work: what may be pointed at, states that agree with the
pointers, and what workers are to serve. Commits nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from storage.contracts import ServedAdapter, ServedSlot, Serving
from storage.database import Unit
from storage.loop_tables import AdapterRow
from storage.preset_overlay import everything, overlaid
from storage.presets import Presets
from storage.registry_rules import CANARY, DELETED, LIVE, REJECTED, RegistryError, earlier, state_of
from storage.repositories.presets import PresetBook
from storage.repositories.slots import SHARED

# What belongs to a change and is written in its unit, before it; it may also refuse, with any error of its own.
Also = Callable[[Unit], Awaitable[None]]


async def known(unit: Unit, adapter_id: str) -> AdapterRow:
    """The adapter; RegistryError if there is none, or its files were thrown away."""
    row = await unit.adapters.get(adapter_id)
    if row is None:
        raise RegistryError(f"there is no adapter {adapter_id}; `otklik adapters list` names them", "unknown")
    if row.state == DELETED:
        raise RegistryError(f"{adapter_id} was thrown away; add its folder again, or take another one", "gone")
    return row


async def usable(unit: Unit, adapter_id: str | None, *, allow_tainted: bool, allow_rejected: bool) -> AdapterRow | None:
    """The adapter, if it may meet people; RegistryError if not."""
    if adapter_id is None:
        return None
    row = await known(unit, adapter_id)
    if row.tainted_at is not None and not allow_tainted:
        raise RegistryError(
            f"{adapter_id} learned from somebody who asked to be forgotten: refit without them, or say explicitly "
            "that it is to be used (--allow-tainted)",
            "tainted",
        )
    if row.state == REJECTED and not allow_rejected:
        said = f"{adapter_id} was rejected; say explicitly that it is to be used (--allow-rejected)"
        raise RegistryError(said, "rejected")
    return row


async def settle(unit: Unit) -> None:
    """States that agree with the pointers."""
    slots = await unit.slots.all()
    pointed = {name for slot in slots for name in (slot.active, slot.canary) if name}
    for row in await unit.adapters.among(pointed, (LIVE, CANARY)):
        row.state = state_of(row.adapter_id, row.state, slots)
    await unit.session.flush()


async def answer_as_shared(unit: Unit, slot: str) -> None:
    """A preset's first slot answers as before, so that its canary is compared with what people have now."""
    shared = await unit.slots.get(SHARED)
    active = shared.active if shared else None
    await unit.slots.point(slot, active, action="promote", by=None, reason="as in the slot shared")


async def read_serving(unit: Unit, file: Callable[[], Presets]) -> Serving:
    """Slots, their adapters, and where each slot's rollback leads, which workers keep loaded too; and the presets of
    `file` with what operators changed, if they changed any.
    """
    slots = [one for one in await unit.slots.all() if one.revision > 0]
    wanted: dict[str, None] = {}
    for slot in slots:
        before = earlier(await unit.slots.changes(slot.name))[:1]
        wanted.update(dict.fromkeys(name for name in (slot.active, slot.canary, *before) if name))
    rows = [row for name in wanted if (row := await unit.adapters.get(name)) and row.state != DELETED]
    return Serving(
        revision=max((slot.revision for slot in slots), default=0),
        slots=tuple(ServedSlot(name=one.name, active=one.active, canary=one.canary, share=one.share) for one in slots),
        adapters=tuple(
            ServedAdapter(adapter_id=row.adapter_id, location=row.location, sha256=row.sha256, base=row.base)
            for row in rows
        ),
        presets=await _presets(unit, file),
    )


async def _presets(unit: Unit, file: Callable[[], Presets]) -> dict[str, Any] | None:
    """None: nothing was changed, workers go by their own file. Those that are switched off are told too: replies that
    were given with them can be made again, and requests on their way are answered.
    """
    changes = await PresetBook(unit.session).overlays()
    if not changes:
        return None
    whole, _ = everything(file(), changes)
    return overlaid(file(), changes).model_copy(update={"presets": tuple(whole)}).model_dump(mode="json")
