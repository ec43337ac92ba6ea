"""How the serving benchmark counts waits, on a clock that stands still while nobody works."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from bench.arrivals import Ask, Batches, Seen, alike, arrive, moments, table
from bench.figures import percentile


class Work:
    """A clock that only work moves: a second to the first token of a batch, another to its end."""

    def __init__(self) -> None:
        self.now = 100.0
        self.batches: list[list[int]] = []

    def clock(self) -> float:
        return self.now

    def generate(self, asks: Sequence[Ask], seen: Seen) -> None:
        self.batches.append([ask.number for ask in asks])
        self.now += 1
        for ask in asks:
            seen(ask.number, "first")
        self.now += 1


ASKS = [Ask(0, 0, ()), Ask(1, 1, ()), Ask(2, 0, ()), Ask(3, 1, ())]


@pytest.mark.parametrize(
    ("pick", "batches", "first", "left"),
    [
        (lambda waiting: waiting[:1], [[0], [1], [2], [3]], (1.0, 2.5, 4.0, 1.0), 1),
        (alike, [[0], [1], [2], [3]], (1.0, 2.5, 4.0, 1.0), 1),
        (lambda waiting: waiting, [[0], [1, 2], [3]], (1.0, 2.5, 2.0, 1.0), 1),
    ],
)
def test_waits_count_from_arrival_and_idle_time_costs_nothing(
    pick: Callable[[Sequence[Ask]], Sequence[Ask]], batches: list[list[int]], first: tuple[float, ...], left: int
) -> None:
    work = Work()
    run = arrive(Batches(pick, work.generate), ASKS, [0.0, 0.5, 1.0, 1000.0], work.clock)
    assert work.batches == batches
    assert run.first == pytest.approx(first)
    assert run.done == pytest.approx([one + 1 for one in first])
    assert run.left == left
    assert work.now < 200


def test_who_cannot_keep_up_leaves_most_unanswered_when_the_last_one_comes() -> None:
    work = Work()
    run = arrive(Batches(lambda waiting: waiting[:1], work.generate), ASKS, [0.0, 0.1, 0.2, 0.3], work.clock)
    assert run.left == 4
    assert run.done == pytest.approx([2.0, 3.9, 5.8, 7.7])
    (_, line) = table({(8.0, "one at a time"): [run, run]})
    assert "5.80 (5.80 … 5.80)" in line and line.endswith("4/4")


def test_those_with_the_adapter_of_the_oldest_go_together() -> None:
    work = Work()
    arrive(Batches(alike, work.generate), ASKS, [0.0, 0.0, 0.0, 0.0], work.clock)
    assert work.batches == [[0, 2], [1, 3]]


def test_arrivals_come_at_the_rate_asked_for_and_the_same_again() -> None:
    found = moments(4000, 8, seed=2)
    assert found == moments(4000, 8, seed=2) == sorted(found)
    assert 4000 / found[-1] == pytest.approx(8, rel=0.05)


def test_p99_of_200_is_not_the_largest() -> None:
    assert percentile(range(200), 0.99) == 197
    assert percentile([3, 1, 2], 0.5) == 2
