"""The loop goes round by itself: people talk and tap, the trainer refits unasked, the gate decides, the worker serves.

Everything is real and in its own process (embedded server, SQLite, worker with the starter, trainer); few people, few
steps. Whether it learns is shown by the long form of `otklik simulate`, not here.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from training.simulation import commands
from training.simulation.plan import ADVERSARIAL, SHORT

# Few tap here, and honest ones like nearly all that the starter says: half of them tap the other way round, so that
# there are both thumbs to learn from.
WORLD = ADVERSARIAL
COMMAND = ("--short", "--worlds", WORLD, "--set", "inverted=0.5", "--set", "agreeable=0")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short simulation of the loop, lived once."""
    folder = tmp_path_factory.mktemp("simulation")
    assert commands.main([*COMMAND, "--out", str(folder)]) == 0
    return folder


def story(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{WORLD}.json").read_text(encoding="utf-8"))
    return found


def rows(folder: Path, query: str) -> list[Any]:
    with sqlite3.connect(folder / WORLD / "otklik.sqlite3") as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_the_loop_goes_round_by_itself(lived: Path) -> None:
    first = story(lived)["rounds"][0]
    job = first["job"]
    # People's taps are in SQL, all of them of people who agreed.
    assert rows(lived, "select count(*) from ratings")[0][0] >= SHORT.ratings
    assert rows(lived, "select count(*) from people where consent = 1")[0][0] == SHORT.people
    # The refit began by the count of ratings, learned from frozen sets of them, and made an adapter.
    assert job["trigger"] == "ratings"
    assert job["rows"]["liked"] > 0 and job["rows"]["disliked"] > 0
    folder = lived / WORLD / "jobs" / job["job_id"]
    assert json.loads((folder / "sets.json").read_text(encoding="utf-8"))["people"]
    assert rows(lived, f"select state from adapters where adapter_id = '{job['adapter']}'") != []
    # The verdict has its reasons, and what answers is what the slot says.
    assert job["state"] in ("live", "rejected") and job["reasons"]
    assert job["passed"] is (job["state"] == "live")
    assert first["slot"] == (job["adapter"] if job["passed"] else None)
    assert first["adapter"] == (job["adapter"] if job["passed"] else story(lived)["start"])
    states = [state for (state,) in rows(lived, "select state from job_changes order by id")]
    assert states == ["queued", "preparing", "training", "evaluating", job["state"]]
    report = (lived / "report.md").read_text(encoding="utf-8")
    assert job["reasons"][0] in report and (lived / "rounds.png").is_file()


@pytest.mark.slow
def test_the_same_command_goes_on_and_another_plan_is_refused(lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = story(lived)
    assert commands.main([*COMMAND, "--out", str(lived)]) == 0
    assert story(lived) == before
    assert commands.main([*COMMAND, "--out", str(lived), "--set", "people=9"]) == 2
    assert "another plan" in capsys.readouterr().err
