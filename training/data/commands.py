"""`otklik data …`: checks and exports the seed corpus, prepares the public corpora. Knows arguments and files."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from training.data import seed_check, seed_corpus, sources


def seed(argv: list[str]) -> int:
    """`otklik data seed [--check] [--out FILE.jsonl]`: count, validate, export."""
    parser = argparse.ArgumentParser(prog="otklik data seed", description="The seed corpus: count, check, export.")
    parser.add_argument("--folder", type=Path, default=seed_corpus.FOLDER, help="folder of seed files")
    parser.add_argument("--check", action="store_true", help="validate; exit status 1 if there are faults")
    parser.add_argument("--out", type=Path, help="write all rows as JSON lines")
    given = parser.parse_args(argv)
    try:
        rows = seed_corpus.load(given.folder)
    except seed_corpus.SeedError as error:
        print(error, file=sys.stderr)
        return 1
    train, held = seed_corpus.split(rows)
    print(f"{len(rows)} rows, {len({row.message for row in rows})} messages; {len(train)} train, {len(held)} held out")
    if given.out:
        given.out.write_text(
            "".join(json.dumps(as_json(row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
        )
    faults = seed_check.check(rows, seed_check.dictionary()) if given.check else []
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def starter(argv: list[str]) -> int:
    """`otklik data starter --data FOLDER --out FOLDER`: the public corpora, cleaned, as training sees them."""
    parser = argparse.ArgumentParser(prog="otklik data starter", description="Clean the public corpora.")
    parser.add_argument("--data", type=Path, required=True, help="the public data folder")
    parser.add_argument("--out", type=Path, required=True, help="where the cleaned JSON lines go")
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    summary: dict[str, Any] = {}
    try:
        for name, path in sources.FILES.items():
            summary[name] = {"sha256": sources.sha256(given.data / path), "rows": _write(given.data, name, given.out)}
    except sources.MissingData as error:
        print(error, file=sys.stderr)
        return 2
    (given.out / "manifest.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    print(json.dumps({name: entry["rows"] for name, entry in summary.items()}))
    return 0


def as_json(row: seed_corpus.SeedRow) -> dict[str, Any]:
    """A seed row as published."""
    return {
        "turns": [turn.model_dump() for turn in row.turns],
        "emotion": row.emotion,
        "intensity": row.intensity,
        "reply": row.reply,
        "register": row.register,
        "subject": row.subject,
        "wordings": list(row.wordings),
        "split": "held_out" if row.held_out else "train",
    }


def _write(data: Path, name: str, out: Path) -> int:
    key, reader = ("text", sources.LINES[name]) if name in sources.LINES else ("turns", sources.DIALOGUES[name])
    counted: Counter[str] = Counter()
    with (out / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
        for item in reader(data):
            lines.write(json.dumps({key: item}, ensure_ascii=False) + "\n")
            counted["rows"] += 1
    return counted["rows"]
