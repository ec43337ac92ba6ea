"""What the benchmark of the bot sums up: p99 is taken of all round trips, and rounds show their spread."""

from __future__ import annotations

from bench.bot import Round, summary


def test_p99_is_taken_of_all_round_trips_and_one_outlier_is_not_it() -> None:
    steady = [Round(100.0 + number, (0.002,) * 198 + (0.004,) * 2) for number in range(4)]
    slow = Round(50.0, (0.002,) * 199 + (9.0,))
    found = summary({"bare": [*steady, slow], "whole": [Round(10.0, (0.010,) * 200)] * 5})
    assert (found["bare_round_trips"], found["bare_p99_of_all_ms"]) == (1000, 2.0)
    assert (found["bare_per_second"], found["bare_per_second_spread"]) == (101.0, [50.0, 103.0])
    assert found["throughput_ratio"] == 0.099
    assert (found["added_p50_ms"], found["added_p99_of_all_ms"]) == (8.0, 8.0)
