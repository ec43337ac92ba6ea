"""How soon a canary is decided, and how often wrongly, by its true difference and with a look after every outcome.

    python -m bench.canary                       # the figures of docs/canary.md
    python -m bench.canary --runs 10 --days 7    # quicker

People are drawn, not asked: each chat has its own taste (what it likes is alike within a chat), chats come at random
moments, give some ratings and fall quiet; the day's mood moves both arms alike. The decision is `training.canary`, as
used: its tests give the same answer after every outcome that they would give to a single look at the end.
Printed: shares of runs with 95 % intervals (Wilson 1927), and the ratings and days that a decision took (median).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.gate import wilson
from training.canary import MEASURES, CanaryRules, Decision, Finding, Outcome, Trial, assess, judge

DAY = 86400.0
LOOKS = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0)


@dataclass(frozen=True)
class World:
    """What is true. Gains are canary minus active; `slower`: ratio of seconds; `moody`: how far a day moves all people;
    `taste`: spread of chats' own likes; `flood`: ratings of one hostile person in the canary's arm; `novelty`: what the
    canary is liked more for in the first day and no longer."""

    name: str
    rating: float = 0.0
    fit: float = 0.0
    errors: float = 0.0
    slower: float = 1.0
    moody: float = 0.1
    taste: float = 0.25
    flood: int = 0
    novelty: float = 0.0
    share: float = 0.2
    chats: int = 150


WORLDS = (
    World("equal"),
    World("equal, half meet it", share=0.5),
    World("equal, moods swing", moody=0.3),
    World("equal, one person gives it 500 👎", flood=500),
    World("equal, liked for being new by 20 for a day", novelty=0.2),
    World("ratings −5", rating=-0.05),
    World("ratings −10", rating=-0.10),
    World("ratings −20", rating=-0.20),
    World("emotion −5", fit=-0.05),
    World("emotion −10", fit=-0.10),
    World("failures +3", errors=-0.03),
    World("failures +10", errors=-0.10),
    World("1.5 times slower", slower=1.5),
    World("ratings +10", rating=0.10),
    World("ratings +20", rating=0.20),
    World("ratings +10, emotion +10", rating=0.10, fit=0.10),
    World("emotion +10, half meet it", fit=0.10, share=0.5),
)


def outcomes(world: World, days: float, random: np.random.Generator) -> dict[str, list[Outcome]]:
    """One canary's life: `world.chats` new chats a day, three answers on average, six of ten chats rate."""
    found: dict[str, list[Outcome]] = {one.name: [] for one in MEASURES}
    total = int(world.chats * days)
    moods = random.normal(0, world.moody, int(days) + 2)
    starts = np.sort(random.uniform(0, days * DAY, total))
    for chat, start in enumerate(starts):
        canary = random.random() < world.share
        arm, gain = ("canary", 1.0) if canary else ("active", 0.0)
        new = world.novelty if canary and start < DAY else 0.0
        liked = 0.65 + random.normal(0, world.taste) + moods[int(start / DAY)] + gain * world.rating + new
        moments = start + np.cumsum(random.exponential(120, 1 + random.poisson(2)))
        rates = random.random() < 0.6
        for at in moments:
            _add(found, "fit", arm, chat, at, float(random.random() < 0.8 + gain * world.fit))
            _add(found, "errors", arm, chat, at, float(random.random() >= 0.01 - gain * world.errors))
            _add(found, "latency", arm, chat, at, random.lognormal(math.log(world.slower) * gain, 0.5))
            if rates and random.random() < 0.7:
                _add(found, "rating", arm, chat, at + 5, float(random.random() < np.clip(liked, 0.02, 0.98)))
    for number in range(world.flood):
        _add(found, "rating", "canary", total + 1, 3600.0 + number, 0.0)
    return found


def _add(found: dict[str, list[Outcome]], name: str, arm: str, chat: int, at: float, value: float) -> None:
    found[name].append(Outcome(arm, chat, chat, float(at), value))


def lived(given: dict[str, list[Outcome]], days: float, rules: CanaryRules) -> tuple[Finding, float]:
    """The first finding that is no «go on», and when, of a look at the end of some days. A test that decided between
    two looks has decided at the later one too, because what was shown once stays shown."""
    finding = Finding(Decision.CONTINUE)
    for day in (*(one for one in LOOKS if one < days), days):
        at = day * DAY
        seen = {name: [one for one in found if one.at <= at] for name, found in given.items()}
        chats = len({one.chat for one in seen["errors"] if one.arm == "canary"})
        finding = assess(Trial(seen, 0.0, at, met=1.0, chats=chats), rules)
        if finding.decision is not Decision.CONTINUE:
            return finding, day
    return finding, days


@dataclass(frozen=True)
class Cell:
    """How the runs of one world ended; medians over the runs that were decided."""

    runs: int
    stopped: int
    won: int
    ratings: float
    days: float


def runs(world: World, count: int, days: float, seed: int = 0, rules: CanaryRules | None = None) -> Cell:
    """So many canaries' lives."""
    rules = rules or CanaryRules(longest_days=days + 1)
    random = np.random.default_rng([seed, len(world.name)])
    ended: list[tuple[Decision, int, float]] = []
    for _ in range(count):
        given = outcomes(world, days, random)
        finding, at = lived(given, days, rules)
        ratings = sum(one.arm == "canary" and one.at <= at * DAY for one in given["rating"])
        ended.append((finding.decision, ratings, at))
    decided = [one for one in ended if one[0] is not Decision.CONTINUE]
    return Cell(
        count,
        sum(one[0] is Decision.STOP_WORSE for one in ended),
        sum(one[0] is Decision.WIN for one in ended),
        median([one[1] for one in decided]),
        median([one[2] for one in decided]),
    )


def false_stop(measure: str, world: World, count: int, days: float, seed: int = 0) -> float:
    """Share of runs in which one measure alone is ever shown worse, a look after every outcome."""
    rules, random = CanaryRules(), np.random.default_rng(seed)
    one = next(found for found in MEASURES if found.name == measure)
    shown = 0
    for _ in range(count):
        line = judge(one, outcomes(world, days, random)[measure], days * DAY * 2, rules)
        shown += line is not None and line.worse
    return shown / count


def median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


def share_of(count: int, of: int) -> str:
    low, high = wilson(count, of)
    return f"{100 * count / of:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--chats", type=int, default=150, help="new chats a day, in both arms together")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.perf_counter()
    print(f"| {given.runs} runs of {given.days:g} days | share | stopped | won | canary's ratings | days |")
    print("| --- | --- | --- | --- | --- | --- |")
    for world in WORLDS:
        cell = runs(replace(world, chats=given.chats), given.runs, given.days, given.seed)
        decided = f"{cell.ratings:.0f} | {cell.days:.1f}" if cell.stopped + cell.won else "— | —"
        share = f"{100 * world.share:.0f} %"
        told = f"{share_of(cell.stopped, cell.runs)} | {share_of(cell.won, cell.runs)} | {decided}"
        print(f"| {world.name} | {share} | {told} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
