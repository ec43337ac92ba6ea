"""What the two benches compute besides running contenders; and one small run of the first, as an operator starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.gan import lengths
from bench.gan_quality import Book, Trial, interval, paired, rouge1


def test_rouge_1_by_hand() -> None:
    assert rouge1("The cat sat", "the cat") == pytest.approx(2 * 2 / 5)
    assert rouge1("the the the", "the cat") == pytest.approx(2 * 1 / 5)
    assert rouge1("Кот сидел.", "кот сидел") == 1
    assert rouge1("", "the cat") == rouge1("dog", "the cat") == 0


def test_intervals_by_hand() -> None:
    mean, half = interval([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2) and half == pytest.approx(4.30 * 0.1 / 3**0.5)
    assert interval([0.4]) == (0.4, 0.0)
    low, high = paired([0.5, 0.6, 0.7, 0.5], [0.3, 0.4, 0.5, 0.3])
    assert low == pytest.approx(0.2) and high == pytest.approx(0.2)
    low, high = paired([0.0, 1.0] * 20, [1.0, 0.0] * 20)
    assert low < 0 < high


def test_results_are_kept_and_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    key = Trial("gan", 1e-3, play={"copies": 4}).key(3)
    made = Book(path).get(key, lambda: {"near": [0.1, 0.3]})

    def again() -> dict[str, list[float]]:
        raise AssertionError("run twice")

    assert Book(path).get(key, again) == made
    assert Trial("gan", 1e-3).key(3) != key != Trial("gan", 1e-3, play={"copies": 4}).key(4)


def test_the_pairs_have_the_lengths_that_are_claimed() -> None:
    real = lengths("real")
    assert len(real) == 50
    assert sum(one for one, _ in real) / 50 == pytest.approx(16, abs=0.5)
    assert sum(two for _, two in real) / 50 == pytest.approx(30, abs=0.5)
    assert set(lengths("published")) == {(100, 50)}


@pytest.mark.slow
def test_one_command_prints_both_ratios() -> None:
    command = [sys.executable, "-m", "bench.gan", "--shape", "tiny", "--lengths", "real", "--repeats", "1"]
    done = subprocess.run(
        [*command, "--epochs", "1", "--precision", "float32", "--contenders", "gan-5", "listing-frozen"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = {
        line.split("|")[1].strip(): line.split("|")[2:-1]
        for line in done.stdout.splitlines()
        if "| gan" in line or "| l" in line
    }
    assert set(rows) == {"lora", "lora-10", "gan-5", "listing-frozen"}
    assert float(rows["lora"][4]) == float(rows["lora"][5]) == 1
    assert float(rows["listing-frozen"][4]) > 10 * float(rows["gan-5"][4])
