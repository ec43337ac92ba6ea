"""Time and memory of a run that was stopped, killed and continued are those of all its parts."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from training import memory
from training.memory import MemoryWatch


def part(path: Path, resumed: bool, seconds: float = 0.15) -> MemoryWatch:
    with MemoryWatch(path, resumed, every=0.02) as watch:
        time.sleep(seconds)
    return watch


def test_a_continued_run_tells_time_and_memory_of_all_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "parts.json"
    monkeypatch.setattr(memory, "resident", lambda: 900 << 20)
    first = part(path, False)
    monkeypatch.setattr(memory, "resident", lambda: 300 << 20)
    second = part(path, True)
    assert second.seconds >= first.seconds + 0.15
    assert second.cpu_seconds >= first.cpu_seconds
    assert second.peak()["peak_rss_mb"] == 900
    assert (first.told(), second.told()) == ("", " in 2 parts")
    seconds = [at for at, _, _ in second.timeline]
    assert seconds == sorted(seconds) and seconds[-1] > first.seconds
    assert {rss for _, rss, _ in second.timeline} == {900, 300}


def test_a_new_run_counts_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "parts.json"
    part(path, False, 0.3)
    assert part(path, False, 0.05).seconds < 0.3


def test_what_a_killed_part_took_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "WRITTEN", 0.05)
    path = tmp_path / "parts.json"
    with MemoryWatch(path, every=0.02):
        time.sleep(0.5)
        before_the_kill = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(before_the_kill), encoding="utf-8")
    assert part(path, True, 0.0).seconds >= 0.2
