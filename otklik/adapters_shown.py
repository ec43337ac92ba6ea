"""Adapters, slots and their history as tables for people and as JSON for programs. Reads nothing by itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from storage.contracts import Loaded
from storage.loop_tables import AdapterRow, SlotChangeRow, SlotRow
from storage.tables import Row

OWN = "the worker's own"
WIDE = 140


def console() -> Console:
    """Standard output; wide where nobody looks at a terminal, so that ids stay whole."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDE)


def put_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def said(as_json: bool, sentence: str, **facts: Any) -> None:
    """A sentence, or the facts behind it."""
    if as_json:
        put_json(facts)
    else:
        console().print(escape(sentence), soft_wrap=True)


def as_dict(row: Row) -> dict[str, Any]:
    """A row as JSON values."""
    values = {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def moment(at: datetime | None) -> str:
    """UTC to the minute."""
    return f"{at:%Y-%m-%d %H:%M}" if at else ""


def size(count: int) -> str:
    """Bytes, readable."""
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def places(adapter: str, slots: Sequence[SlotRow]) -> str:
    """Where an adapter answers now."""
    active = [slot.name for slot in slots if slot.active == adapter]
    tried = [f"{slot.name} {slot.share:.0%}" for slot in slots if slot.canary == adapter]
    return ", ".join((*active, *tried))


def listed(
    rows: Sequence[AdapterRow], slots: Sequence[SlotRow], loaded: Mapping[str, Loaded], *, as_json: bool
) -> None:
    """Slots, then adapters, newest first, then what workers could not load."""
    if as_json:
        put_json(
            {
                "slots": [as_dict(slot) for slot in slots],
                "adapters": [as_dict(row) for row in rows],
                "workers": {name: one.model_dump(mode="json") for name, one in loaded.items()},
            }
        )
        return
    out = console()
    if slots:
        table = Table("slot", "answers", "canary", "share", "revision", "changed (UTC)")
        for slot in slots:
            share = f"{slot.share:.0%}" if slot.canary else ""
            cells = (slot.name, slot.active or OWN, slot.canary or "", share, str(slot.revision))
            table.add_row(*map(escape, cells), moment(slot.updated_at))
        out.print(table)
    else:
        out.print(f"Nothing was promoted yet: {OWN} answers everybody.")
    if rows:
        out.print(_adapters(rows, slots, loaded))
    else:
        out.print("No adapters yet: `otklik train cycle` makes one, `otklik adapters add FOLDER` takes one in.")
    for name, one in sorted(loaded.items()):
        for adapter, fault in one.faults.items():
            out.print(escape(f"worker {name} cannot serve {adapter}: {fault}"), soft_wrap=True)


def _adapters(rows: Sequence[AdapterRow], slots: Sequence[SlotRow], loaded: Mapping[str, Loaded]) -> Table:
    table = Table()
    table.add_column("adapter", no_wrap=True)
    for name in ("state", "answers in", "kind", "method", "parent", "size", "made (UTC)", "tainted (UTC)", "workers"):
        table.add_column(name)
    for row in rows:
        has = sum(row.adapter_id in one.adapters for one in loaded.values())
        cells = (
            *(row.adapter_id, row.state, places(row.adapter_id, slots), row.kind, row.method, row.parent or ""),
            *(size(row.size), moment(row.created_at), moment(row.tainted_at)),
            f"{has} of {len(loaded)}" if loaded else "",
        )
        table.add_row(*map(escape, cells))
    return table


def one(row: AdapterRow, people: int, changes: Sequence[SlotChangeRow], *, as_json: bool) -> None:
    """All lines of one adapter, and what happened to it."""
    if as_json:
        put_json({**as_dict(row), "people": people, "changes": [as_dict(change) for change in changes]})
        return
    out = console()
    table = Table(show_header=False)
    for name, value in as_dict(row).items():
        if isinstance(value, dict):
            value = json.dumps(value, ensure_ascii=False, indent=1)
        if value is not None:
            table.add_row(name, escape(str(value)))
    table.add_row("people", f"{people} (learned from their ratings)")
    out.print(table)
    if row.tainted_at:
        out.print("Tainted: it learned from somebody who asked to be forgotten. The next refit leaves them out.")
    if changes:
        out.print(_changes(changes))


def history(slot: str, changes: Sequence[SlotChangeRow], *, as_json: bool) -> None:
    """Changes of a slot, newest first."""
    if as_json:
        put_json({"slot": slot, "changes": [as_dict(change) for change in changes]})
    elif changes:
        console().print(_changes(changes))
    else:
        console().print(f"Nothing happened in the slot {slot} yet.")


def _changes(changes: Sequence[SlotChangeRow]) -> Table:
    table = Table("at (UTC)", "slot", "what", "before", "after", "share", "by", "reason")
    for change in changes:
        pointer = change.action in ("promote", "rollback")
        cells = (
            *(moment(change.at), change.slot, change.action),
            *(name or (OWN if pointer else "") for name in (change.before, change.after)),
            f"{change.share:.0%}" if change.share is not None else "",
            str(change.by) if change.by else "",
            change.reason,
        )
        table.add_row(*map(escape, cells))
    return table


def verified(found: Mapping[str, Sequence[str]], *, as_json: bool) -> None:
    """What is damaged, and what to do."""
    if as_json:
        put_json({"adapters": dict(found), "damaged": [name for name, wrong in found.items() if wrong]})
        return
    out = console()
    for name, wrong in found.items():
        out.print(escape(f"{name}: {'; '.join(wrong) if wrong else 'whole'}"), soft_wrap=True)
    if damaged := [name for name, wrong in found.items() if wrong]:
        out.print(
            f"{len(damaged)} of {len(found)} damaged. Workers that have loaded them go on; add the run's folder again "
            "(`otklik adapters add FOLDER`) to make them whole, or roll back.",
            soft_wrap=True,
        )
    elif not found:
        out.print("No adapters yet.")
