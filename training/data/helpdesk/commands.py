"""`otklik data helpdesk DESK --out FOLDER`: arguments, messages and exit status of an export."""

from __future__ import annotations

import argparse
import datetime
import logging
import sys
from pathlib import Path

from models.logs import log_to_stderr
from training.data.helpdesk import cursor as cursors
from training.data.helpdesk import export as exports
from training.data.helpdesk.cursor import Options, Progress
from training.data.helpdesk.errors import HelpDeskError
from training.data.helpdesk.settings import HelpdeskSettings, load
from training.data.helpdesk.texts import Scrubber, scrubber, unscrubbed
from training.recipes import RecipeError

DESKS = ("zoho",)
KINDS = ("articles", "tickets")


def helpdesk(argv: list[str]) -> int:
    """`otklik data helpdesk zoho --out FOLDER [--articles] [--tickets] [--since DATE] [--resume]`."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.out is None and not given.check:
        parser.error("--out FOLDER is needed")
    log_to_stderr(level=logging.INFO)
    try:
        settings = load()
        lines = _checked(settings) if given.check else _exported(settings, given)
    except (HelpDeskError, RecipeError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or given.out}: {error.strerror}; go on with --resume", file=sys.stderr)
        return 3
    print(*lines, sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otklik data helpdesk",
        description="Knowledge-base articles and tickets of a help desk, as files that training data is read from. "
        "Access comes from TRAINING_ZOHO_… settings (docs/configuration.md).",
    )
    parser.add_argument("desk", choices=DESKS)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="a new folder, or one to go on in")
    parser.add_argument("--articles", action="store_true", help="articles (with neither of the two: both)")
    parser.add_argument("--tickets", action="store_true", help="tickets")
    parser.add_argument(
        "--since", type=_day, metavar="DATE", help="only articles changed and tickets opened since then"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the export in the folder")
    parser.add_argument("--check", action="store_true", help="only see whether the desk answers as documented")
    parser.add_argument("--names", action="store_true", help="hide all names of people too (needs natasha)")
    parser.add_argument(
        "--no-scrub", dest="scrub", action="store_false", help="leave personal data in: only for data you may keep so"
    )
    return parser


def _day(text: str) -> str:
    """A date as the API writes times."""
    try:
        return f"{datetime.date.fromisoformat(text).isoformat()}T00:00:00.000Z"
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: write a date as 2026-01-31") from None


def _scrubber(scrub: bool, names: bool) -> Scrubber:
    if not scrub:
        return unscrubbed
    if not names:
        return scrubber()
    from training.data.scrub.names import PersonNames

    finder = PersonNames()
    finder.prepare()
    return scrubber(finder)


def _checked(settings: HelpdeskSettings) -> list[str]:
    from training.data.helpdesk.contract import check
    from training.data.helpdesk.transport import Api
    from training.data.helpdesk.zoho import ZohoDesk

    with Api(settings) as api:
        return list(check(api, ZohoDesk(api, settings)))


def _exported(settings: HelpdeskSettings, given: argparse.Namespace) -> list[str]:
    options = Options(
        desk=given.desk,
        organisation=settings.org_id,
        kinds=tuple(kind for kind in KINDS if getattr(given, kind)) or KINDS,
        locale=settings.locale,
        department=settings.department or "",
        unsolved=tuple(sorted(settings.unsolved())),
        since=given.since or "",
        scrub=given.scrub,
        names=given.names,
    )
    cursor = cursors.start(given.out, options, given.resume)
    scrub = _scrubber(given.scrub, given.names)
    return list(exports.summary(_run(settings, given.out, cursor, scrub)))


def _run(settings: HelpdeskSettings, folder: Path, cursor: cursors.Cursor, scrub: Scrubber) -> cursors.Cursor:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from training.data.helpdesk.transport import Api
    from training.data.helpdesk.zoho import ZohoDesk

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar, Api(settings) as api:
        task = bar.add_task("asking the desk …", total=None)

        def seen(kind: str, progress: Progress) -> None:
            bar.update(
                task, description=f"{kind}: {progress.position.start} looked at, {progress.counts.get(kind, 0)} written"
            )

        return exports.export(ZohoDesk(api, settings, cursor.options.since), folder, cursor, scrub, seen)
