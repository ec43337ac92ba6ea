"""Requests that arrive as a Poisson process, served in this process one way or another: who waited how long.

The clock runs in real time while a server works and jumps over idle time, so a run takes as long as its work. Every
way is seen at its best: a first token counts when it was made, though a plain `generate` shows it at the end. Knows
nothing of models: a server is whoever takes requests and reports first tokens and ends.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bench.figures import percentile, spread

Kind = Literal["first", "done"]
# Takes a request's number and what happened to it, at that moment.
Seen = Callable[[int, Kind], None]


@dataclass(frozen=True)
class Ask:
    """One person's request: an adapter's number and the prompt's tokens."""

    number: int
    adapter: int
    ids: tuple[int, ...]


class Server(Protocol):
    """Takes what has arrived and works for one turn: a decode step, or a whole batch."""

    @property
    def busy(self) -> bool: ...

    def serve(self, asks: Sequence[Ask], seen: Seen) -> None: ...


class Batches:
    """Runs a batch to its end before it takes the next. `pick` says who of those that wait, oldest first."""

    def __init__(
        self, pick: Callable[[Sequence[Ask]], Sequence[Ask]], generate: Callable[[Sequence[Ask], Seen], object]
    ) -> None:
        self.pick = pick
        self.generate = generate
        self.waiting: list[Ask] = []

    @property
    def busy(self) -> bool:
        return bool(self.waiting)

    def serve(self, asks: Sequence[Ask], seen: Seen) -> None:
        self.waiting += asks
        batch = self.pick(self.waiting)
        taken = {ask.number for ask in batch}
        self.waiting = [ask for ask in self.waiting if ask.number not in taken]
        self.generate(batch, seen)
        for ask in batch:
            seen(ask.number, "done")


def alike(waiting: Sequence[Ask]) -> Sequence[Ask]:
    """Everybody who asks for the adapter of the oldest."""
    return [ask for ask in waiting if ask.adapter == waiting[0].adapter]


@dataclass(frozen=True)
class Run:
    """One run: seconds to first token and to the end of each request, and how many had no answer yet when the last one
    arrived: where that is most of them, the queue grows for as long as the run lasts."""

    first: tuple[float, ...]
    done: tuple[float, ...]
    left: int


def moments(count: int, rate: float, seed: int) -> list[float]:
    """Seconds at which requests arrive, `rate` a second in the mean."""
    chance = random.Random(seed)
    found: list[float] = []
    for _ in range(count):
        found.append((found[-1] if found else 0.0) + chance.expovariate(rate))
    return found


def arrive(
    server: Server, asks: Sequence[Ask], at: Sequence[float], clock: Callable[[], float] = time.perf_counter
) -> Run:
    """Serve `asks`, of which each arrives at its moment, until all are answered."""
    due = deque(zip(at, asks, strict=True))
    born = {ask.number: moment for moment, ask in due}
    times: dict[Kind, dict[int, float]] = {"first": {}, "done": {}}
    started = clock()

    def seen(number: int, kind: Kind) -> None:
        times[kind][number] = clock() - started

    while len(times["done"]) < len(asks):
        elapsed = clock() - started
        if due and not server.busy and due[0][0] > elapsed:
            started -= due[0][0] - elapsed
            elapsed = due[0][0]
        fresh = []
        while due and due[0][0] <= elapsed:
            fresh.append(due.popleft()[1])
        server.serve(fresh, seen)
    waited = {kind: tuple(when - born[number] for number, when in found.items()) for kind, found in times.items()}
    return Run(waited["first"], waited["done"], sum(when > at[-1] for when in times["done"].values()))


def table(runs: Mapping[tuple[float, str], Sequence[Run]]) -> list[str]:
    """A line for each rate and way: medians of the runs' own p50 and p95, the least and the greatest; seconds."""
    heads = ("first token, p50", "p95", "whole answer, p50", "p95")
    lines = [f"{'arrivals a second':34}" + "".join(f"{head:>22}" for head in heads) + f"{'unanswered':>12}"]
    for (rate, name), those in runs.items():
        cells = [
            spread([percentile(waited, share) for waited in part])
            for part in ([run.first for run in those], [run.done for run in those])
            for share in (0.5, 0.95)
        ]
        left = f"{statistics.median(run.left for run in those):g}/{len(those[0].done)}"
        lines.append(f"{rate:<6g}{name:28}" + "".join(f"{cell:>22}" for cell in cells) + f"{left:>12}")
    return lines
