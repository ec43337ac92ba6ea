"""Which adapter answers a request: slots, arms, what is loaded. Pure: no engine, no files, no Redis.

A request goes by the slot of its preset, else by the slot `shared`, else by what the worker has by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from storage.contracts import ServedAdapter, Serving

ACTIVE = "active"
CANARY = "canary"
BASE = "base"
SHARED = "shared"
# Key of what is wrong with the presets, among the faults by adapter.
PRESETS = "presets"
# Folders of weights that are named with the folder around them.
NESTED = ("base", "model")


@dataclass(frozen=True)
class Pointer:
    """One slot as this worker serves it. `active` None: what the worker has by itself; `canary` None: there is none."""

    active: str | None = None
    canary: str | None = None


@dataclass(frozen=True)
class Routes:
    """Where requests go. `own`: the worker's own adapter, None for the base model itself."""

    own: str | None = None
    slots: Mapping[str, Pointer] = field(default_factory=dict)

    def adapter(self, arm: str, preset: str) -> str | None:
        """The adapter of a request, None for the base model. An arm that names an adapter is that adapter."""
        if arm == BASE:
            return None
        if arm not in (ACTIVE, CANARY):
            return arm
        slot = self.slots.get(preset) or self.slots.get(SHARED) or Pointer()
        if arm == CANARY and slot.canary is not None:
            return slot.canary
        return self.own if slot.active is None else slot.active

    @property
    def pointed(self) -> frozenset[str]:
        """Every adapter that a slot names."""
        found = {name for slot in self.slots.values() for name in (slot.active, slot.canary)}
        return frozenset(name for name in found if name is not None)


def routes(serving: Serving, usable: Collection[str], before: Routes) -> Routes:
    """The routes that follow `serving` as far as its adapters are usable.

    A slot whose new adapter is not usable stays with what answered in it before (a slot that was not there: with what
    `shared` says now), and that is the worker's own if it is not usable either. A canary that is not usable is none.
    """
    named = {slot.name: slot for slot in serving.slots}
    made: dict[str, Pointer] = {}
    for name in sorted(named, key=lambda name: name != SHARED):
        slot = named[name]
        active = slot.active
        if active is not None and active not in usable:
            kept = before.slots.get(name) or made.get(SHARED) or Pointer()
            active = kept.active if kept.active in usable else None
        made[name] = Pointer(active, slot.canary if slot.canary in usable else None)
    return Routes(before.own, made)


def wanted(serving: Serving) -> tuple[ServedAdapter, ...]:
    """The adapters that slots name, as far as `serving` says where they are, in its order."""
    named = {name for slot in serving.slots for name in (slot.active, slot.canary)}
    return tuple(adapter for adapter in serving.adapters if adapter.adapter_id in named)


def untold(serving: Serving) -> frozenset[str]:
    """Adapters that slots name and `serving` does not say where to find."""
    known = {adapter.adapter_id for adapter in serving.adapters}
    named = {name for slot in serving.slots for name in (slot.active, slot.canary)}
    return frozenset(name for name in named if name is not None and name not in known)


def other_base(made_for: str, loaded: str) -> bool:
    """Whether two names of base models name different weights: both carry a hash or commit, and they differ.

    Names without one do not tell: the same model has another path on every machine. Nor do two commits of one hub id:
    an edit of its page is one.
    """
    first, second = made_for.rpartition("@"), loaded.rpartition("@")
    if not (first[1] and second[1]) or first[2] == second[2]:
        return False
    return first[0] != second[0] or not _hub_id(first[0])


def _hub_id(name: str) -> bool:
    """Whether a base's name without its mark is a hub id: folders have a slash only before those of `NESTED`."""
    return "/" in name and name.rpartition("/")[2] not in NESTED


def superfluous(
    loaded: Sequence[str], *, pointed: Collection[str], listed: Collection[str], needed: Collection[str], limit: int
) -> list[str]:
    """Adapters to unload. `loaded`: those that may go, least recently used first; `needed`: rows run or wait with them.

    What no slot points to goes once it is not listed any more; of those that are listed, the least recently used go
    while more than `limit` are loaded.
    """
    free = [name for name in loaded if name not in pointed and name not in needed]
    gone = [name for name in free if name not in listed]
    left = [name for name in free if name in listed]
    excess = max(0, len(loaded) - len(gone) - limit)
    return gone + left[:excess]
