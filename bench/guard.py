"""How often a promotion is taken back wrongly, and how soon rightly, by what is true of the world.

    python -m bench.guard                # the figures of docs/canary.md
    python -m bench.guard --runs 20      # quicker

Drawn as in `bench.canary`, but without a second arm: two weeks of what answered before, then three days of what was
promoted, another time with moods of its own days. The decision is `training.after_promotion.fallen`, as used; looked at
every six hours, where the trainer looks every ten seconds. Printed: shares of runs with 95 % intervals (Wilson 1927).
"""

from __future__ import annotations

import argparse
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.canary import DAY, World, median, outcomes, share_of
from training.after_promotion import fallen
from training.canary import CanaryRules, Decision, Outcome

PAST_DAYS, LOOK_DAYS = 14.0, 0.25
WORLDS = (
    World("equal, every day alike", moody=0.0),
    World("equal"),
    World("equal, moods swing", moody=0.3),
    World("equal, one person gives it 500 👎", flood=500),
    World("equal, but the times are worse by 10", rating=-0.10, moody=0.0),
    World("ratings −10", rating=-0.10),
    World("ratings −20", rating=-0.20),
    World("ratings −30", rating=-0.30),
    World("emotion −10", fit=-0.10),
    World("emotion −20", fit=-0.20),
    World("failures +10", errors=-0.10),
    World("1.5 times slower", slower=1.5),
    World("twice as slow", slower=2.0),
)

Given = Mapping[str, Sequence[Outcome]]


def life(world: World, random: np.random.Generator, rules: CanaryRules) -> float | None:
    """Days until the promotion is taken back; None: it stays for as long as it is watched."""
    past = outcomes(replace(world, share=0.0, flood=0), PAST_DAYS, random)
    watched = rules.guard_hours / 24
    now = _later(outcomes(replace(world, share=1.0), watched, random))

    def back(look: int) -> bool:
        at = (PAST_DAYS + look * LOOK_DAYS) * DAY
        seen = {name: [one for one in found if one.at <= at] for name, found in now.items()}
        return fallen(seen, past, at, rules).decision is Decision.STOP_WORSE

    looks = range(1, round(watched / LOOK_DAYS) + 1)
    # What was shown once stays shown, so the last look tells whether any look would have.
    return bisect_left(looks, True, key=back) * LOOK_DAYS + LOOK_DAYS if back(looks[-1]) else None


def _later(given: Given) -> dict[str, list[Outcome]]:
    """The same after the past, in chats that nobody had then."""
    ahead = PAST_DAYS * DAY
    return {
        name: [replace(one, at=one.at + ahead, chat=-1 - one.chat, person=-1 - one.person) for one in found]
        for name, found in given.items()
    }


def runs(world: World, count: int, seed: int = 0, rules: CanaryRules | None = None) -> list[float | None]:
    """So many promotions' lives."""
    random = np.random.default_rng([seed, len(world.name)])
    return [life(world, random, rules or CanaryRules()) for _ in range(count)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--chats", type=int, default=150, help="new chats a day")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.perf_counter()
    print(f"| {given.runs} promotions | taken back | days |\n| --- | --- | --- |")
    for world in WORLDS:
        ended = runs(replace(world, chats=given.chats), given.runs, given.seed)
        back = [one for one in ended if one is not None]
        days = f"{median(back):.1f}" if back else "—"
        print(f"| {world.name} | {share_of(len(back), len(ended))} | {days} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
