"""Decisions of the registry, without I/O: where a rollback leads, what may be thrown away, what state an adapter has.

States: candidate (never served), canary, live, retired (served once), rejected, deleted (its files are gone).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

CANDIDATE, CANARY, LIVE, RETIRED, REJECTED, DELETED = (
    "candidate",
    "canary",
    "live",
    "retired",
    "rejected",
    "deleted",
)
YOUNG = timedelta(days=1)


class RegistryError(ValueError):
    """The registry refuses; the text says why and what to do. `cause` names the reason, and what it is about, for
    whoever tells it in another language."""

    def __init__(self, text: str, cause: str = "other", **about: str) -> None:
        super().__init__(text)
        self.cause, self.about = cause, about


class Change(Protocol):
    """What is needed of a slot's history."""

    action: str
    before: str | None
    after: str | None


class Pointer(Protocol):
    """What is needed of a slot."""

    name: str
    active: str | None
    canary: str | None


class Known(Protocol):
    """What is needed of an adapter."""

    adapter_id: str
    parent: str | None
    job_id: str | None
    state: str
    created_at: datetime


def earlier(changes: Iterable[Change]) -> list[str | None]:
    """What a slot answered with before, the most recent first, the last one None (the worker's own).

    `changes`: the slot's history, oldest first. A promotion puts what answered on the pile, a rollback takes off the
    pile down to where it leads, so that rolling back twice leads two steps back and not forth again.
    """
    pile: list[str | None] = []
    for change in changes:
        if change.action == "rollback" and change.after in pile:
            while pile.pop() != change.after:
                pass
        elif change.action in ("promote", "rollback") and change.before != change.after:
            pile.append(change.before)
    return pile[::-1]


def promoted(changes: Iterable[Change], keep: int) -> set[str]:
    """The last `keep` different adapters that a slot answered with. `changes`: oldest first."""
    found: list[str] = []
    for change in reversed([one for one in changes if one.action in ("promote", "rollback")]):
        for adapter in (change.after, change.before):
            if adapter is not None and adapter not in found:
                found.append(adapter)
    return set(found[:keep])


def referenced(
    slots: Sequence[Pointer],
    changes: Mapping[str, Sequence[Change]],
    adapters: Sequence[Known],
    working: Collection[str],
    jobs: Collection[str],
    keep: int,
    at: datetime,
) -> set[str]:
    """Adapters whose files must stay: served and tried ones, what an open job names or made, and the parents of these;
    the last `keep` of each slot and where its next rollback leads; everything younger than a day.

    `working`: adapter ids that open jobs name; `jobs`: the open jobs' ids.
    """
    parents = {one.adapter_id: one.parent for one in adapters}
    used = {name for slot in slots for name in (slot.active, slot.canary) if name} | set(working)
    used |= {one.adapter_id for one in adapters if one.job_id in jobs}
    stay = used | {parent for name in used if (parent := parents.get(name))}
    for slot in slots:
        history = changes.get(slot.name, ())
        stay |= promoted(history, max(1, keep))
        stay |= {name for name in earlier(history)[:1] if name}
    return stay | {one.adapter_id for one in adapters if at - one.created_at < YOUNG}


def check_share(share: float) -> None:
    """RegistryError unless it is a share."""
    if not 0 <= share <= 1:
        raise RegistryError(f"a canary's share is between 0 and 1, not {share:g}", "share")


def state_of(adapter: str, state: str, slots: Sequence[Pointer]) -> str:
    """The state that agrees with the pointers: what is pointed at is live or canary, what was is retired."""
    if any(slot.active == adapter for slot in slots):
        return LIVE
    if any(slot.canary == adapter for slot in slots):
        return CANARY
    return RETIRED if state in (LIVE, CANARY) else state
