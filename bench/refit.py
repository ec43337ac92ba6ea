"""From the 1,000th rating to the new adapter serving, stage by stage, on this machine with the bundled starter.

    python -m bench.refit [--ratings 1000] [--people 25] [--prompts 500] [--minutes 8] [--out DIR]

Real processes: embedded Redis, SQLite, one worker, one trainer that refits by count and promotes what passes. People's
answers are the seed corpus's (the reply in the asked emotion with 👍, one in another emotion with 👎); they are in SQL
before the clock starts, ratings go through the Redis stream as taps do. The clock starts with the last rating and
stops when the worker reports that it serves. The gate is lenient here, because time is measured, not quality.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import tempfile
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from storage.contracts import ChatReply, ChatRequest, Provenance, Rating, ReplyState, Sampling, now
from storage.presets import load_presets
from storage.repositories.jobs import ENDED
from training.data.reading import shipped
from training.data.rows import Pair
from training.simulation.world import World

WORKER = {"MODELS_THREADS": "1", "OMP_NUM_THREADS": "1"}
# Lenient: time is measured here, not quality, and what is rejected would not serve.
GATE = {"error": 0.49, "most_forgetting": 1.0, "suspicions": False}
AT_ONCE = 50


async def answered(world: World, people: int, count: int) -> list[tuple[int, str, int]]:
    """Answers in SQL, as a bot leaves them; `(person, request id, thumb)` of each."""
    pairs = [row for row in shipped.pairs(None, load_presets()) if row.tags["split"] == "train"]
    random.Random(0).shuffle(pairs)
    found = []
    for user in range(1, people + 1):
        async with world.database.unit() as unit:
            await unit.people.ensure(user)
            await unit.people.consent(user, True)
            await unit.chats.ensure(user, kind="private", emotion="joy", intensity=2)
            for number in range(user, count + 1, people):
                name = f"bench-{number}"
                good = number // people % 2 == 0
                await _answer(unit, user, name, number, pairs[number % len(pairs)], good)
                found.append((user, name, 1 if good else -1))
            await unit.commit()
    return found


async def _answer(unit: Any, user: int, name: str, number: int, pair: Pair, good: bool) -> None:
    turn = await unit.turns.add(user, user, 0)
    request = ChatRequest(
        request_id=name,
        chat_id=user,
        user_id=user,
        turns=pair.prompt,
        emotion=pair.emotion or "neutral",
        intensity=pair.intensity,
        deadline=now() + timedelta(hours=1),
    )
    row = await unit.replies.ask(turn, request)
    made = Provenance(base_model="bundled", prompt_version="bench", sampling=Sampling(), seed=1, worker="bench")
    reply = ChatReply(
        request_id=name,
        chat_id=user,
        state=ReplyState.DONE,
        text=pair.chosen if good else pair.rejected,
        emotion=request.emotion,
        intensity=request.intensity,
        provenance=made,
    )
    unit.replies.answer(row, reply)
    row.delivery, row.message_ids = "sent", [number]
    turn.shown, turn.state, turn.message_ids = name, "done", [number]


async def rate(world: World, judged: list[tuple[int, str, int]]) -> None:
    """Taps, as the bot submits them."""
    for start in range(0, len(judged), AT_ONCE):
        part = judged[start : start + AT_ONCE]
        await asyncio.gather(
            *(
                world.book.submit(
                    Rating(
                        rating_id=f"tap-{name}",
                        chat_id=user,
                        message_id=int(name.rsplit("-", 1)[1]),
                        user_id=user,
                        request_id=name,
                        thumb=1 if thumb > 0 else -1,
                    )
                )
                for user, name, thumb in part
            )
        )


async def stored(world: World, wanted: int) -> None:
    """Until so many ratings are in SQL."""
    while True:
        async with world.database.view() as unit:
            if await unit.jobs.ratings_since(None) >= wanted:
                return
        await asyncio.sleep(0.02)


async def served(world: World) -> tuple[datetime, dict[str, Any]]:
    """When every worker serves what the refit made, and the job's own story; RuntimeError if nothing came of it."""
    while True:
        world.check()
        async with world.database.view() as unit:
            jobs = await unit.jobs.last()
            changes = list(await unit.jobs.changes(jobs[0].job_id)) if jobs else []
            revision = await unit.slots.revision()
        if jobs and jobs[0].state in ENDED:
            if jobs[0].state != "live":
                raise RuntimeError(f"the refit is {jobs[0].state}: {jobs[0].error or jobs[0].verdict}")
            loaded = await world.board.loaded()
            if loaded and all(one.revision >= revision and not one.faults for one in loaded.values()):
                moments = [(one.state, one.at) for one in changes]
                return now(), {"moments": moments, "verdict": jobs[0].verdict, "plan": jobs[0].plan}
        await asyncio.sleep(0.1)


async def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures of one run."""
    trainer = {
        "TRAINING_SCHEDULE": "",
        "TRAINING_MIN_RATINGS": str(given.ratings),
        "TRAINING_AUTO_PROMOTE": "yes",
        "TRAINING_PROMPTS": str(given.prompts),
        "TRAINING_NICE": "0",
        "TRAINING_GATE": json.dumps(GATE),
    }
    async with World(folder, WORKER, trainer) as world:
        judged = await answered(world, given.people, given.ratings)
        began = time.monotonic()
        await rate(world, judged[:-1])
        submitted = time.monotonic() - began
        await stored(world, len(judged) - 1)
        kept = time.monotonic() - began
        clock = now()
        await rate(world, judged[-1:])
        try:
            end, told = await asyncio.wait_for(served(world), given.minutes * 60)
        except TimeoutError:
            async with world.database.view() as unit:
                state = [(one.job_id, one.state, one.step, one.steps) for one in await unit.jobs.last()]
            raise SystemExit(f"not serving after {given.minutes:g} minutes: {state}; give more --minutes") from None
    moments = [("last rating", clock), *told["moments"], ("serving", end)]
    stages = [
        {"stage": f"{name} → {following}", "seconds": round((then - at).total_seconds(), 1)}
        for (name, at), (following, then) in pairwise(moments)
    ]
    return {
        "ratings_submitted_a_second": round((len(judged) - 1) / submitted),
        "ratings_stored_a_second": round((len(judged) - 1) / kept),
        "stages": stages,
        "seconds": round((end - clock).total_seconds(), 1),
        "rows": told["plan"].get("rows"),
        "verdict": told["verdict"].get("reasons_en"),
    }


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ratings", type=int, default=1000)
    parser.add_argument("--people", type=int, default=25)
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--minutes", type=float, default=8.0, help="a refit that takes longer ends the bench")
    parser.add_argument("--out", type=Path, help="folder to keep; unset: a temporary one")
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp(prefix="otklik-refit-"))
    try:
        found = asyncio.run(measure(given, folder))
    finally:
        if given.out is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(found, ensure_ascii=False, indent=1))
    print("\n| stage | seconds |\n| --- | --- |")
    for one in found["stages"]:
        print(f"| {one['stage']} | {one['seconds']} |")
    print(f"| all | {found['seconds']} |")


if __name__ == "__main__":
    main()
