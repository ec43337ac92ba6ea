"""`otklik data feedback build|export|import|summary`: arguments in, sets, a log or a summary out."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.recipes import RecipeError

SHARED = "shared"
FAULTS_SHOWN = 20


def feedback(argv: list[str]) -> int:
    """`otklik data feedback …`: 0, or 2 with a reason."""
    given = _parser().parse_args(argv)
    try:
        return int(given.run(given))
    except (RecipeError, FileNotFoundError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otklik data feedback", description="What people said, as training sets.")
    table = parser.add_subparsers(required=True, metavar="build|export|import|summary")
    build = table.add_parser("build", help="ratings in SQL → frozen sets")
    build.set_defaults(run=_build)
    build.add_argument("--out", type=Path, required=True, help="the sets' folder; sets that are there are replaced")
    export = table.add_parser("export", help="ratings in SQL → JSON lines, people under other names")
    export.set_defaults(run=_export)
    export.add_argument("--out", type=Path, required=True, help="the file; one that is there is replaced")
    export.add_argument("--key", type=Path, help="file whose content makes the names, so that they stay the same")
    reading = table.add_parser("import", help="JSON lines → frozen sets; faults are told by line and field")
    reading.set_defaults(run=_import)
    reading.add_argument("log", type=Path, help="a file that `export` wrote, or one of its shape (docs/feedback.md)")
    reading.add_argument("--out", type=Path, required=True, help="the sets' folder; sets that are there are replaced")
    summary = table.add_parser("summary", help="what a refit would learn from: rows, people, what is dropped and why")
    summary.set_defaults(run=_summary)
    summary.add_argument("--log", type=Path, help="JSON lines instead of SQL")
    summary.add_argument("--json", action="store_true", help="all counts as JSON")
    for one in (build, export, reading, summary):
        _shared(one, log=one is reading)
    return parser


def _shared(parser: argparse.ArgumentParser, *, log: bool) -> None:
    if not log:
        parser.add_argument(
            "--since", type=_moment, help="judgements from then on: 2026-01-31 or 2026-01-31T12:00+03:00"
        )
    parser.add_argument("--emotion", "--slot", dest="emotion", help="answers in one preset; shared: in all")
    parser.add_argument("--language", choices=("ru", "en"), default="en", help="of the summary")
    parser.add_argument("--rule", action="append", default=[], metavar="KEY=VALUE", help="a rule of docs/feedback.md")


def _build(given: argparse.Namespace) -> int:
    with _from_sql(given) as log:
        return _freeze(given, log)


def _import(given: argparse.Namespace) -> int:
    with _from_file(given, given.log) as log:
        return _freeze(given, log)


def _freeze(given: argparse.Namespace, log: Any) -> int:
    from training.data.feedback import freeze, summary

    _check_place(given.out)
    made = freeze(log, given.out, _rules(given), emotions=_presets())
    for line in summary.lines(made.counts, given.language):
        print(line)
    return 0


def _export(given: argparse.Namespace) -> int:
    from training.data.feedback import export_log

    key = given.key.read_bytes() if given.key else None
    with _from_sql(given) as log:
        print(f"{export_log(log, given.out, key)} entries → {given.out}")
    return 0


def _summary(given: argparse.Namespace) -> int:
    import json

    from training.data.feedback import freeze, summary

    with (
        _from_file(given, given.log) if given.log else _from_sql(given) as log,
        tempfile.TemporaryDirectory(prefix="otklik-feedback-") as place,
    ):
        counts = freeze(log, Path(place) / "sets", _rules(given), emotions=_presets()).counts
    found = [json.dumps(counts, ensure_ascii=False, indent=1)] if given.json else summary.lines(counts, given.language)
    for line in found:
        print(line)
    return 0


def _from_sql(given: argparse.Namespace) -> Any:
    from storage.database import Database, upgrade
    from storage.settings import StorageSettings
    from training.data.feedback import read_log

    settings = StorageSettings()
    asyncio.run(upgrade(settings.database()))
    emotion = _emotion(given, settings)

    async def read() -> Any:
        database = Database(settings.database())
        try:
            return await read_log(database, since=given.since, emotion=emotion)
        finally:
            await database.close()

    return asyncio.run(read())


def _from_file(given: argparse.Namespace, path: Path) -> Any:
    from storage.settings import StorageSettings
    from training.data.feedback import import_log

    log = import_log(path, emotion=_emotion(given, StorageSettings()))
    for fault in log.faults[:FAULTS_SHOWN]:
        print(fault, file=sys.stderr)
    if log.counts["bad_line"]:
        print(f"{log.counts['bad_line']} bad lines were left out", file=sys.stderr)
    return log


def _emotion(given: argparse.Namespace, settings: Any) -> str | None:
    from training import presets

    if given.emotion in (None, SHARED):
        return None
    preset = presets.met(settings).find(given.emotion)
    if preset is None:
        raise RecipeError(f"--emotion: there is no preset '{given.emotion}'")
    return str(preset.id)


def _presets() -> list[str]:
    from storage.settings import StorageSettings
    from training import presets

    return [one.id for one in presets.met(StorageSettings()).presets]


def _rules(given: argparse.Namespace) -> Any:
    from pydantic import ValidationError

    from training.data.feedback import FeedbackRules

    pairs = [one.partition("=") for one in given.rule]
    try:
        return FeedbackRules.model_validate({key.strip(): value.strip() for key, _, value in pairs})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise RecipeError(f"--rule: {faults}") from None


def _check_place(folder: Path) -> None:
    """A folder of other things is not replaced."""
    from training.data.feedback.pseudonyms import KEY_FILE

    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / KEY_FILE).is_file()):
        raise RecipeError(f"feedback: {folder} holds other things than feedback sets; choose another place")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
