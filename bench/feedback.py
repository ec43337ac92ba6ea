"""Frozen sets from ratings in real SQLite: time and peak memory, and how both grow with the ratings.

    python -m bench.feedback --ratings 10000 100000 1000000

Each size is written, read and frozen in processes of their own, so that a peak is its own. Seconds are the processor's,
since other work on the machine is not ours; ratios between sizes are printed beside them: seconds hang on the machine,
growth does not. Texts are random Russian words.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

WORDS = ("дом", "лес", "море", "книга", "песня", "ветер", "город", "друг", "вечер", "чай", "поезд", "снег", "утро")
EMOTIONS = ("joy", "sadness", "anger", "fear", "surprise")
START = datetime(2026, 1, 1, tzinfo=UTC)
CHUNK = 5000
# A person's ratings; every fifth answer has a second variant that is kept or left, every thirtieth a correction.
EACH, VARIANT, CORRECTION = 50, 5, 30


def sentence(chance: random.Random, words: int) -> str:
    """Some words."""
    return " ".join(chance.choices(WORDS, k=words)).capitalize() + "."


async def fill(url: str, ratings: int) -> None:
    """People, turns, answers and ratings of them, in the tables' own shape."""
    from sqlalchemy import insert

    from storage.database import make_engine, upgrade
    from storage.tables import ChatRow, PersonRow, RatingRow, ReplyRow, TurnRow

    await upgrade(url)
    engine = make_engine(url)
    chance = random.Random(0)
    people = max(1, ratings // EACH)
    async with engine.begin() as connection:
        for start in range(1, people + 1, CHUNK):
            ids = range(start, min(people + 1, start + CHUNK))
            await connection.execute(
                insert(PersonRow), [{"user_id": one, "consent": one % 20 != 0, "created_at": START} for one in ids]
            )
            await connection.execute(
                insert(ChatRow),
                [{"chat_id": one, "kind": "private", "emotion": "joy", "created_at": START} for one in ids],
            )
    written = number = 0
    while written < ratings:
        rows: dict[Any, list[dict[str, Any]]] = {TurnRow: [], ReplyRow: [], RatingRow: []}
        while len(rows[RatingRow]) < CHUNK and written + len(rows[RatingRow]) < ratings:
            number += 1
            turn(rows, number, number % people + 1, chance)
        async with engine.begin() as connection:
            for table, values in rows.items():
                await connection.execute(insert(table), values)
        written += len(rows[RatingRow])
    await engine.dispose()


def turn(rows: dict[Any, list[dict[str, Any]]], number: int, user: int, chance: random.Random) -> None:
    """One turn with its answers and ratings."""
    from storage.tables import RatingRow, ReplyRow, TurnRow

    emotion = chance.choice(EMOTIONS)
    variants = 2 if number % VARIANT == 0 else 1
    names = [f"{number:x}-{variant}" for variant in range(variants)]
    moment = START + timedelta(seconds=number)
    base = {"chat_id": user, "created_at": moment}
    rows[TurnRow].append(
        {**base, "id": number, "user_id": user, "state": "done", "message_ids": [number], "shown": names[-1]}
    )
    turns = [
        {"role": role, "text": sentence(chance, 8)} for role in ("user", "assistant", "user")[-(1 + 2 * (number % 2)) :]
    ]
    for variant, name in enumerate(names):
        texts = [sentence(chance, chance.randint(4, 14)) for _ in range(3)]
        candidates = [{"text": text, "fit": chance.random(), "tokens": 20, "finish": "stop"} for text in texts]
        request = {"request_id": name, "turns": turns, "emotion": emotion, "intensity": 2, "persona": ""}
        rows[ReplyRow].append(
            {
                **base,
                "request_id": name,
                "turn_id": number,
                "variant": variant,
                "request": request,
                "state": "done",
                "delivery": "sent",
                "text": texts[0],
                "emotion": emotion,
                "candidates": candidates,
                "message_ids": [number],
                "adapter": "adapter",
                "fit": candidates[0]["fit"],
            }
        )
    rating = {"chat_id": user, "message_id": number, "user_id": user, "source": "button", "updated_at": moment}
    rating |= {"request_id": names[-1], "thumb": chance.choice((1, 1, -1)), "preferred_over": None, "correction": None}
    if variants == 2:
        rating |= {"thumb": None, "preferred_over": names[0], "source": "regenerate"}
    if number % CORRECTION == 0:
        rating |= {"correction": sentence(chance, 9)}
    rows[RatingRow].append(rating)


async def freeze(url: str, folder: Path) -> dict[str, Any]:
    """Processor seconds of reading and freezing, rows by kind, this process's peak."""
    from storage.database import Database
    from training.data import feedback

    database = Database(url)
    began = time.process_time()
    log = await feedback.read_log(database)
    read = time.process_time() - began
    await database.close()
    began = time.process_time()
    sets = feedback.freeze(log, folder)
    frozen = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    log.close()
    return {"ratings": log.ratings, "read_s": read, "freeze_s": frozen, "peak_mib": peak, "rows": sets.counts["rows"]}


def one(ratings: int, place: Path) -> dict[str, Any]:
    """One size, in processes of its own."""
    url = f"sqlite+aiosqlite:///{place / 'ratings.sqlite3'}"
    _step("fill", url, str(ratings))
    found: dict[str, Any] = json.loads(_step("freeze", url, str(place / "sets")))
    return {"size": ratings, **found}


def _step(*arguments: str) -> str:
    command = [sys.executable, "-m", "bench.feedback", "--step", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout


def show(found: list[dict[str, Any]]) -> None:
    """The figures, and how they grow from size to size."""
    print("ratings     read s  freeze s  µs/rating  peak MiB  rows")
    for result in found:
        seconds = result["read_s"] + result["freeze_s"]
        print(
            f"{result['size']:>9,} {result['read_s']:>8.1f} {result['freeze_s']:>9.1f} "
            f"{seconds / result['size'] * 1e6:>10.0f} {result['peak_mib']:>9.0f}  {result['rows']}"
        )
    for before, after in pairwise(found):
        size = after["size"] / before["size"]
        times = (after["read_s"] + after["freeze_s"]) / (before["read_s"] + before["freeze_s"])
        memory = after["peak_mib"] / before["peak_mib"]
        print(f"{size:.0f} times the ratings: {times:.1f} times the time, {memory:.2f} times the memory")


def main() -> None:
    """All sizes, from the smallest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        name, url, value = given.step
        if name == "fill":
            asyncio.run(fill(url, int(value)))
        else:
            print(json.dumps(asyncio.run(freeze(url, Path(value)))))
        return
    found = []
    for ratings in sorted(given.ratings):
        with tempfile.TemporaryDirectory(prefix="otklik-bench-") as place:
            found.append(one(ratings, Path(place)))
    show(found)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
