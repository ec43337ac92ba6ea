"""What the worlds came to in numbers: every round against the control, with intervals. Knows no process and no file.

The paired differences are on the same questions with the same seeds. Intervals and tests are over prompts; `p_messages`
is the same test over messages, of which each stands for its prompts in all emotions: the more careful one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.evaluation.statistics import Difference, Interval, difference, flipped, interval
from training.simulation.measuring import Measured
from training.simulation.plan import ADVERSARIAL, LOOP, Plan
from training.simulation.rounds import BEST, WorldStory

MEASURES = ("hit", "satisfaction", "strict")
# «Not worse» than the control: less than so much may be lost, in hits and in satisfaction, at the interval's low end.
NOT_WORSE = 0.03

Measurement = Callable[[str], Measured | None]


def gather(plan: Plan, stories: Sequence[WorldStory], measured: Measurement) -> dict[str, Any]:
    """Everything that the report tells, as JSON; what was not lived yet is left out."""
    told = [story for story in stories if story.start is not None]
    start = _start(told, measured)
    if start is None:
        return {"plan": plan.model_dump(mode="json"), "worlds": {}, "claims": {}}
    worlds = {story.name: _world(story, start, measured) for story in told}
    best = measured(BEST)
    return {
        "plan": plan.model_dump(mode="json"),
        "control": _levels(start),
        "best": _levels(best) if best is not None else None,
        "worlds": worlds,
        "claims": claims(worlds),
    }


def claims(worlds: Mapping[str, Any]) -> dict[str, bool]:
    """What was to be shown, where the worlds for it were lived. `rises`: hits are significantly above the control's by
    round 3; `holds`: with bad raters neither hits nor satisfaction fall below it by the margin."""
    found = {}
    if rounds := worlds.get(LOOP, {}).get("rounds"):
        # One look, at the last of them: whichever of three looks best would be too easy.
        third = rounds[:3][-1]["against"]
        found["rises"] = third["hit"]["verdict"] == "higher"
        found["rises_in_satisfaction"] = third["satisfaction"]["verdict"] == "higher"
    if rounds := worlds.get(ADVERSARIAL, {}).get("rounds"):
        last = rounds[-1]["against"]
        found["holds"] = all(last[name]["low"] > -NOT_WORSE for name in ("hit", "satisfaction"))
    return found


def _start(stories: Sequence[WorldStory], measured: Measurement) -> Measured | None:
    """What answers without any refit: the same in all worlds."""
    return measured(str(stories[0].start)) if stories else None


def _world(story: WorldStory, start: Measured, measured: Measurement) -> dict[str, Any]:
    rounds = []
    for one in story.rounds:
        now = measured(one["adapter"])
        if now is not None:
            rounds.append({**one, "levels": _levels(now), "against": _against(now, start)})
    states = [one["job"]["state"] for one in story.rounds if one["job"]]
    return {
        "rounds": rounds,
        "refits": {state: states.count(state) for state in sorted(set(states))},
        "seconds": sum(story.seconds.values()) + sum(sum(one["seconds"].values()) for one in story.rounds),
    }


def _levels(found: Measured) -> dict[str, Any]:
    words = [value for value in found.values("words") if value]
    return {
        "adapter": found.adapter,
        **{name: _interval(interval(found.values(name))) for name in MEASURES},
        "hit_by_emotion": found.by_emotion("hit"),
        "satisfaction_by_emotion": found.by_emotion("satisfaction"),
        "words": sum(words) / max(1, len(words)),
        "unanswered": sum(not one.text for one in found.answers),
    }


def _against(found: Measured, start: Measured) -> dict[str, Any]:
    return {
        name: _difference(
            difference(found.values(name), start.values(name)),
            flipped(_by_message(found, start, name)),
        )
        for name in MEASURES
    }


def _by_message(found: Measured, start: Measured, name: str) -> list[float]:
    """Mean differences of the messages."""
    groups: dict[str, list[float]] = {}
    for one, other in zip(found.answers, start.answers, strict=True):
        groups.setdefault(one.message, []).append(float(getattr(one, name)) - float(getattr(other, name)))
    return [sum(values) / len(values) for values in groups.values()]


def _interval(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}


def _difference(found: Difference, p_messages: float) -> dict[str, Any]:
    return {**_interval(found.interval), "p": found.p, "p_messages": p_messages, "verdict": found.verdict}
