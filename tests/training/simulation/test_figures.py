"""Figures and report: a rise is told as one only where it is one, bad raters are held against the control."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.simulation import figures, plots, report
from training.simulation.measuring import Answered, Measured, load, store
from training.simulation.people import EMOTIONS
from training.simulation.plan import Plan
from training.simulation.rounds import BEST, WorldStory

PLAN = Plan(people=4, rounds=2, ratings=10, questions=210)
TALK = {
    "exchanges": 12, "judged": 10, "thumbs": 9, "ups": 5, "preferences": 2, "corrections": 1, "unanswered": 0,
    "satisfaction": 0.6, "approval": 0.55,
}  # fmt: skip


def measured(adapter: str, hits: int, satisfaction: float = 0.6) -> Measured:
    """210 prompts over 30 messages, of which `hits`, spread over all, carry their emotion."""
    return Measured(
        adapter,
        tuple(
            Answered(
                key=f"{number}",
                emotion=EMOTIONS[number % 7],
                message=f"message {number // 7}",
                text="ответ" if number else "",
                hit=float(number * 37 % 210 < hits),
                strict=float(number * 37 % 210 < hits - 5),
                satisfaction=satisfaction + 0.01 * (number % 3),
                words=4,
            )
            for number in range(210)
        ),
    )


KNOWN = {
    "starter": measured("starter", 180),
    "better": measured("better", 205, 0.7),
    "worse": measured("worse", 150, 0.5),
    BEST: measured("best of 8", 210, 0.8),
}


def job(state: str) -> dict[str, Any]:
    return {
        "job_id": "count-1", "trigger": "ratings", "state": state, "method": "dpo", "adapter": "x", "error": None,
        "passed": state == "live", "reasons": ["the emotion is carried more often"], "rows": {"pairs": 20},
        "metrics": {}, "seconds": {"training": 30.0},
    }  # fmt: skip


def story(name: str, *rounds: tuple[str, str | None]) -> WorldStory:
    told = WorldStory(name, "starter", seconds={"start": 5.0})
    for number, (adapter, state) in enumerate(rounds, start=1):
        made = job(state) if state else None
        seconds = {"talk": 3.0, "measure": 2.0}
        told.rounds.append(
            {"number": number, "talk": TALK, "job": made, "slot": None, "adapter": adapter, "seconds": seconds}
        )
    return told


def gathered(*stories: WorldStory) -> dict[str, Any]:
    return figures.gather(PLAN, stories, KNOWN.get)


def test_a_clear_rise_over_the_control_is_told_with_its_test() -> None:
    found = gathered(story("control", ("starter", None)), story("loop", ("starter", "rejected"), ("better", "live")))
    assert found["claims"] == {"rises": True, "rises_in_satisfaction": True}
    first, second = found["worlds"]["loop"]["rounds"]
    assert first["against"]["hit"]["verdict"] == "same"
    assert second["against"]["hit"]["p"] < 0.01
    assert second["against"]["hit"]["p_messages"] < 0.05
    assert found["worlds"]["loop"]["refits"] == {"live": 1, "rejected": 1}
    assert found["worlds"]["loop"]["seconds"] == 15.0


def test_a_loop_that_changed_nothing_has_not_risen() -> None:
    found = gathered(story("control", ("starter", None)), story("loop", ("starter", "rejected")))
    assert found["claims"] == {"rises": False, "rises_in_satisfaction": False}


def test_bad_raters_that_made_it_worse_are_told() -> None:
    assert gathered(story("adversarial", ("worse", "live")))["claims"] == {"holds": False}
    assert gathered(story("adversarial", ("starter", "rejected")))["claims"] == {"holds": True}


def test_nothing_lived_is_no_claim() -> None:
    found = gathered(WorldStory("control"))
    assert found["claims"] == {} and "Nothing" in report.text(found, "rounds.png")


def test_the_report_shows_figures_refits_and_reasons(tmp_path: Path) -> None:
    found = gathered(
        story("control", ("starter", None)),
        story("loop", ("starter", "rejected"), ("better", "live")),
        story("adversarial", ("worse", "live")),
    )
    text = report.text(found, "rounds.png")
    assert "emotion hit is significantly above the control by round 3: **yes**" in text
    assert "more than the margin: **no**" in text
    assert "0.857 [" in text and "0.976 [" in text
    assert "Refits: live 1, rejected 1" in text and "the emotion is carried more often" in text
    plots.draw(found, tmp_path / "rounds.png")
    assert (tmp_path / "rounds.png").read_bytes().startswith(b"\x89PNG")


def test_measurements_survive_on_the_disk(tmp_path: Path) -> None:
    store(tmp_path / "measured" / "a.json", KNOWN["better"])
    assert load(tmp_path / "measured" / "a.json") == KNOWN["better"]
    assert load(tmp_path / "none.json") is None
