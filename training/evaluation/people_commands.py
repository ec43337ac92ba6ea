"""`otklik ratings`: what people say of systems, from the bot's database, a feedback log or published counts.

Arguments in, tables out; the only place of this part that knows files, settings and terminals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from training.recipes import RecipeError

EPILOG = """A line of a feedback log: {"system": "lora", "person": "p1", "answer": "a7", "stars": {"content": 4}},
with "thumb" (1 or -1), or "over": "base" where one was preferred ("tie": true where neither was).
A file of counts is YAML: system: {criterion: [18, 31, 29, 29, 17]}, or {counts: [...], published: 2.9677}."""


def main(argv: list[str]) -> int:
    """Print the tables; 0, or 2 with the reason on stderr."""
    given = parser().parse_args(argv)
    try:
        print("\n\n".join(of_counts(given) if given.counts else of_opinions(given)))
    except FileNotFoundError as error:
        print(f"otklik ratings: there is no file {error.filename}", file=sys.stderr)
        return 2
    except RecipeError as error:
        print(f"otklik ratings: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"otklik ratings: the package {error.name} is missing: pip install -e '.[ml]'", file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = argparse.ArgumentParser(
        prog="otklik ratings",
        description="people's ratings of every system: stars, shares, agreement, strengths, each with its interval",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = made.add_mutually_exclusive_group()
    source.add_argument(
        "--log", type=Path, metavar="FILE", help="feedback log, JSON lines; default: the bot's database"
    )
    source.add_argument("--counts", type=Path, metavar="FILE", help="published counts of 1–5 instead of ratings")
    made.add_argument("--language", choices=("en", "ru"), default="en", help="of the tables")
    made.add_argument("--seed", type=int, default=0, help="of the intervals")
    made.add_argument("--out", type=Path, metavar="FOLDER", help="write ratings.md and ratings.json too")
    return made


def of_opinions(given: argparse.Namespace) -> list[str]:
    """Sections from single ratings. RecipeError where there are none."""
    from training.evaluation.people import agreement, report, scores
    from training.evaluation.people.opinions import CRITERIA, Opinion, read
    from training.evaluation.people.versus import scores as by_person
    from training.evaluation.people.versus import versus

    told: list[Opinion] = list(read(given.log)) if given.log else _stored()
    standings = scores.standings(told, given.seed)
    if not standings and not any(one.over for one in told):
        raise RecipeError("there are no ratings yet")
    sections = [report.stars(standings, given.language)] if standings else []
    starred = list(by_person(told))
    if len(starred) > 1:
        pairs = [versus(told, other, one, given.seed) for one, other in combinations(starred, 2)]
        sections.append(report.differences(pairs, given.language))
    if starred:
        alphas = {name: agreement.alpha(told, name, given.seed) for name in CRITERIA}
        sections.append(report.agreement(alphas, given.language))
    sections += _strengths(told, given)
    _write(given.out, sections, standings)
    return sections


def of_counts(given: argparse.Namespace) -> list[str]:
    """Sections from published counts."""
    from training.evaluation.people import report, scores
    from training.evaluation.people.published import check

    table = _table(given.counts)
    standings, findings = [], {}
    try:
        for system, criteria in table.items():
            counts = {name: one["counts"] for name, one in criteria.items()}
            standings.append(scores.of_counts(system, counts, given.seed))
            for name, one in criteria.items():
                if one["published"] is not None:
                    findings[f"{system}, {name}"] = check(one["counts"], one["published"], one["digits"])
    except ValueError as error:
        raise RecipeError(f"{given.counts}: {error}") from None
    sections = [report.stars(standings, given.language)]
    if findings:
        sections.append(report.checks(findings, given.language))
    _write(given.out, sections, standings)
    return sections


def _strengths(told: Sequence[Any], given: argparse.Namespace) -> list[str]:
    from training.evaluation.people import report
    from training.evaluation.people.strengths import Duel, Unconnected, strengths

    duels = [
        Duel(one.system, one.over, 0.5 if one.tie else 1.0, one.person)
        for one in told
        if one.over and one.over != one.system
    ]
    if not duels:
        return []
    try:
        return [report.standing(strengths(duels, given.seed), given.language)]
    except Unconnected as error:
        return [str(error)]


def _stored() -> list[Any]:
    from storage.settings import StorageSettings
    from training.evaluation.people.stored import opinions

    return asyncio.run(opinions(StorageSettings().database()))


def _table(path: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The file of counts: system → criterion → counts, published mean and its digits."""
    import yaml

    from training.evaluation.people.opinions import CRITERIA

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise RecipeError(f"{path} is no YAML: {error}") from None
    if not isinstance(raw, dict) or not all(isinstance(one, dict) and one for one in raw.values()) or not raw:
        raise RecipeError(f"{path} must map systems to criteria with counts")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for system, criteria in raw.items():
        if unknown := set(criteria) - set(CRITERIA):
            raise RecipeError(f"{path}: {system}: {', '.join(map(str, unknown))}: criteria are {', '.join(CRITERIA)}")
        found[str(system)] = {name: _entry(path, str(system), name, one) for name, one in criteria.items()}
    return found


def _entry(path: Path, system: str, name: str, raw: Any) -> dict[str, Any]:
    entry = raw if isinstance(raw, dict) else {"counts": raw}
    counts, published = entry.get("counts"), entry.get("published")
    digits = entry.get("digits", 4)
    whole = isinstance(counts, list) and all(type(one) is int for one in counts)
    if not whole or not isinstance(published, int | float | None) or type(digits) is not int:
        raise RecipeError(f"{path}: {system}, {name}: write counts: [five whole numbers], published: a number")
    return {"counts": counts, "published": published, "digits": digits}


def _write(out: Path | None, sections: list[str], standings: Sequence[Any]) -> None:
    if out is None:
        return
    from dataclasses import asdict

    out.mkdir(parents=True, exist_ok=True)
    (out / "ratings.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    plain = [asdict(one) for one in standings]
    (out / "ratings.json").write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
