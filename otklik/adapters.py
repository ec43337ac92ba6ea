"""`otklik adapters`: what is in the registry, and who answers people. Arguments in, tables or JSON out.

Needs SQL alone. Where Redis answers, workers are told at once; otherwise they hear of it when a trainer runs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError

from otklik import adapters_shown as shown
from otklik.adapters_desk import Desk, Refused, opened
from storage.adapter_manifest import AdapterFilesError, StoreUnavailable, configured_base, kind_of
from storage.contracts import JobState, Serving
from storage.loop_tables import AdapterRow
from storage.registry import KEEP, PREVIOUS, Also, RegistryError
from storage.registry_garbage import unreferenced
from storage.repositories.slots import SHARED

OWN = "The worker's own"
EPILOG = """ID may be cut short as long as it is clear; `none` stands for the worker's own (the starter's adapter, or
the bare base). A slot is `shared`, or a preset's id. Exit status: 0 done, 1 refused or damaged, 2 wrong call or
settings, database or store out of reach. docs/registry.md tells more."""


async def list_all(desk: Desk) -> int:
    """Slots and adapters."""
    async with desk.database.view() as unit:
        rows = [row for row in await unit.adapters.all() if desk.given.all or row.state != "deleted"]
        slots = [row for row in await unit.slots.all() if row.revision > 0]
    shown.listed(rows, slots, await desk.loaded(), as_json=desk.given.json)
    return 0


async def show(desk: Desk) -> int:
    """Everything about one adapter."""
    row = await desk.find(desk.given.id)
    async with desk.database.view() as unit:
        people = await unit.adapters.learners(row.adapter_id)
        changes = await unit.slots.changes_of(row.adapter_id)
    shown.one(row, people, changes, as_json=desk.given.json)
    return 0


async def add(desk: Desk) -> int:
    """Take a folder in."""
    given = desk.given
    parent = (await desk.find(given.parent)).adapter_id if given.parent else None
    kind = await asyncio.to_thread(kind_of, given.folder)
    base = given.base or await asyncio.to_thread(configured_base, given.folder)
    people = await _learners(desk, given.sets)
    row = await desk.registry.add(
        given.folder, kind=kind, base=base, method=given.method, parent=parent, prompt=given.prompt, people=people
    )
    whose = (
        f"People here that it learned from: {len(people)}; a /forget of theirs taints it."
        if given.sets
        else "Nobody's /forget reaches it: if it learned from people here, add it again with --sets."
    )
    shown.said(
        given.json,
        f"{row.adapter_id} is in the registry ({row.kind}, {row.state}); "
        f"`otklik adapters promote {row.adapter_id}` lets it answer. {whose}",
        adapter_id=row.adapter_id,
        sha256=row.sha256,
        location=row.location,
    )
    return 0


async def _learners(desk: Desk, folders: list[Path]) -> set[int]:
    """Whose rows stand in the sets that an adapter was trained on."""
    if not folders:
        return set()
    from training.data.feedback.members import members
    from training.recipes import RecipeError

    async with desk.database.view() as unit:
        known = await unit.people.ids()
    try:
        return set().union(*[await asyncio.to_thread(members, folder, known) for folder in folders])
    except RecipeError as error:
        raise Refused(str(error)) from error


async def promote(desk: Desk) -> int:
    """Let an adapter answer."""
    given, slot, target = desk.given, await desk.slot(), await desk.target(desk.given.id)
    serving = await desk.registry.promote(
        target,
        slot=slot,
        reason=desk.reason,
        allow_tainted=given.allow_tainted,
        allow_rejected=given.allow_rejected,
        also=desk.deciding(target, slot, JobState.LIVE),
    )
    return await changed(desk, serving, f"{target or OWN} answers in the slot {slot}.")


async def rollback(desk: Desk) -> int:
    """Let answer what answered before."""
    slot = await desk.slot()
    to = PREVIOUS if desk.given.to is None else await desk.target(desk.given.to)
    also = desk.deciding(None, slot, JobState.LIVE)
    serving = await desk.registry.rollback(slot, to=to, reason=desk.reason, also=also)
    active = next((one.active for one in serving.slots if one.name == slot), None)
    return await changed(desk, serving, f"{active or OWN} answers in the slot {slot} again.")


async def canary(desk: Desk) -> int:
    """Let an adapter meet some dialogues, or more of them."""
    slot, row = await desk.slot(), await desk.find(desk.given.id)
    async with desk.database.view() as unit:
        now = await unit.slots.get(slot)
    if now is not None and now.canary == row.adapter_id:
        serving = await desk.registry.set_share(desk.given.share, slot=slot)
    else:
        serving = await desk.registry.begin_canary(
            row.adapter_id,
            desk.given.share,
            slot=slot,
            job_id=row.job_id,
            reason=desk.reason,
            allow_tainted=desk.given.allow_tainted,
            also=desk.deciding(row.adapter_id, slot, JobState.CANARY),
        )
    return await changed(desk, serving, f"{row.adapter_id} meets {desk.given.share:.0%} of the dialogues in {slot}.")


async def end_canary(desk: Desk) -> int:
    """Take the canary away."""
    slot = await desk.slot()
    async with desk.database.view() as unit:
        found = await unit.slots.get(slot)
    also = desk.deciding(found.canary if found is not None else None, slot, JobState.GATED)
    serving = await desk.registry.end_canary(slot=slot, reason=desk.reason, also=also)
    return await changed(desk, serving, f"No canary runs in the slot {slot}.")


async def reject(desk: Desk) -> int:
    """Nobody is to meet an adapter."""
    row = await desk.find(desk.given.id)
    also = await _rejecting(desk, row)
    serving = await desk.registry.reject(row.adapter_id, reason=desk.reason, also=also)
    return await changed(desk, serving, f"{row.adapter_id} is rejected.")


async def _rejecting(desk: Desk, row: AdapterRow) -> Also | None:
    """The refit that made an adapter is over with it."""
    async with desk.database.view() as unit:
        job = await unit.jobs.get(row.job_id) if row.job_id else None
    return desk.deciding(row.adapter_id, job.slot, JobState.REJECTED) if job is not None else None


async def release(desk: Desk) -> int:
    """Let a preset go by the shared slot again."""
    slot = await desk.slot()
    serving = await desk.registry.release(slot, reason=desk.reason)
    return await changed(desk, serving, f"{slot} goes by the slot {SHARED}.")


async def verify(desk: Desk) -> int:
    """Read every byte of what is stored."""
    ids = [(await desk.find(name)).adapter_id for name in desk.given.id] or None
    found = await desk.registry.verify(ids)
    shown.verified(found, as_json=desk.given.json)
    return 1 if any(found.values()) else 0


async def collect(desk: Desk) -> int:
    """Throw away what nothing refers to."""
    given = desk.given
    if given.dry_run:
        async with desk.database.view() as unit:
            gone = await unreferenced(unit, given.keep)
    else:
        gone = await desk.registry.collect_garbage(given.keep)
    verb = "Would be thrown away" if given.dry_run else "Thrown away"
    shown.said(given.json, f"{verb}: {', '.join(gone) or 'nothing'}.", gone=gone, dry_run=given.dry_run)
    return 0


async def history(desk: Desk) -> int:
    """What happened to a slot."""
    slot = await desk.slot()
    async with desk.database.view() as unit:
        changes = await unit.slots.history(slot, desk.given.limit)
    shown.history(slot, changes, as_json=desk.given.json)
    return 0


async def changed(desk: Desk, serving: Serving, what: str) -> int:
    """Say what a change did and whether workers know."""
    told = await desk.told(serving)
    slots = [one.model_dump(mode="json") for one in serving.slots]
    shown.said(desk.given.json, f"{what} {told}", revision=serving.revision, slots=slots, told=told)
    return 0


COMMANDS = {
    "list": list_all,
    "show": show,
    "add": add,
    "promote": promote,
    "rollback": rollback,
    "canary": canary,
    "end-canary": end_canary,
    "reject": reject,
    "release": release,
    "verify": verify,
    "gc": collect,
    "history": history,
}


def share(text: str) -> float:
    """A share as `0.1` or `10%`."""
    value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("say a share between 0 and 1, or a percentage: 0.1 or 10%")
    return value


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="otklik adapters", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made_by = {
        name: kinds.add_parser(name, help=(doing.__doc__ or "").rstrip(".").lower(), description=doing.__doc__)
        for name, doing in COMMANDS.items()
    }
    for one in made_by.values():
        one.add_argument("--json", action="store_true", help="one JSON object on standard output")
    for name in ("promote", "rollback", "canary", "end-canary", "history"):
        made_by[name].add_argument("--slot", default=SHARED, help="shared (default), or a preset's id")
    made_by["release"].add_argument("slot", help="a preset's id")
    for name in ("promote", "rollback", "canary", "end-canary", "reject", "release"):
        made_by[name].add_argument("--reason", default="", help="what the history is to say")
    for name in ("show", "promote", "canary", "reject"):
        made_by[name].add_argument("id", metavar="ID")
    for name in ("promote", "canary"):
        made_by[name].add_argument("--allow-tainted", action="store_true", help="though somebody in it was forgotten")
    made_by["promote"].add_argument("--allow-rejected", action="store_true", help="though it was rejected")
    made_by["rollback"].add_argument("--to", metavar="ID", help="an earlier one, or none; default: what was before")
    made_by["canary"].add_argument("--share", type=share, required=True, help="of the dialogues: 0.1 or 10%%")
    made_by["list"].add_argument("--all", action="store_true", help="those that were thrown away too")
    made_by["verify"].add_argument("id", metavar="ID", nargs="*", help="default: all")
    made_by["gc"].add_argument("--keep", type=int, default=KEEP, help=f"last ones of each slot that stay ({KEEP})")
    made_by["gc"].add_argument("--dry-run", action="store_true", help="only say what would go")
    made_by["history"].add_argument("--limit", type=int, default=20, help="newest changes (20)")
    taken = made_by["add"]
    taken.add_argument("folder", type=Path, help="with adapter_config.json and adapter_model.safetensors")
    taken.add_argument("--base", help="base model that it fits; default: the one in its configuration")
    taken.add_argument("--method", default="hand", help="what it was trained with (hand)")
    taken.add_argument("--parent", metavar="ID", help="adapter that it was tuned on from")
    taken.add_argument(
        "--sets",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="feedback sets that it learned from (`otklik data feedback build`), so that /forget finds it",
    )
    taken.add_argument("--prompt", help="version of the prompt that it was trained with")
    return made


async def run(given: argparse.Namespace) -> int:
    """Do one sub-command."""
    async with opened(given) as desk:
        return await COMMANDS[given.command](desk)


def main(argv: list[str]) -> int:
    """Entry of `otklik adapters`."""
    given = parser().parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # answers alone on standard output
    try:
        return asyncio.run(run(given))
    except StoreUnavailable as error:
        return complain(error, 2)
    except (Refused, RegistryError, AdapterFilesError) as error:
        return complain(error, 1)
    except (DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        return complain(f"the database cannot be used ({cause}); check STORAGE_DATABASE_URL and STORAGE_DIR", 2)


def complain(error: object, status: int) -> int:
    """One sentence on standard error."""
    print(f"otklik adapters: {error}", file=sys.stderr)
    return status
