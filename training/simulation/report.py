"""The report of a simulation in Markdown. Knows the figures as JSON, and where the picture is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TITLES = {
    "control": "Control, no refits",
    "loop": "Loop",
    "adversarial": "Loop with bad raters",
}
CLAIMS = {
    "rises": "emotion hit is significantly above the control by round 3",
    "rises_in_satisfaction": "satisfaction is significantly above the control by round 3",
    "holds": "with bad raters neither falls below the control by more than the margin",
}


def text(figures: Mapping[str, Any], picture: str) -> str:
    """The whole report."""
    return "\n".join(_lines(figures, picture)) + "\n"


def _lines(figures: Mapping[str, Any], picture: str) -> Iterator[str]:
    plan = figures["plan"]
    yield "# Does it learn?"
    yield ""
    if not figures["worlds"]:
        yield "Nothing was lived yet."
        return
    for name, shown in figures["claims"].items():
        yield f"- {CLAIMS[name]}: **{'yes' if shown else 'no'}**"
    yield ""
    yield f"![rounds]({picture})"
    yield ""
    yield (
        f"{plan['people']} people, a refit after {plan['ratings']} judged answers, candidates {plan['candidates']}; "
        f"measured on {figures['control']['hit']['n']} prompts that nobody is asked during the rounds. 95 % bootstrap "
        "intervals over prompts; differences are paired (same prompts, same seeds), p by sign-flip permutation over "
        "prompts and, in brackets, over messages."
    )
    yield ""
    yield from _levels(figures)
    for name, world in figures["worlds"].items():
        yield from _world(name, world)


def _levels(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "| answers of | emotion hit | strict judge | satisfaction | words | unanswered |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield _level("control", figures["control"])
    for name, world in figures["worlds"].items():
        if name != "control":
            for one in world["rounds"]:
                yield _level(f"{TITLES[name].lower()}, round {one['number']}", one["levels"])
    if figures["best"] is not None:
        yield _level(f"best of {figures['plan']['oracle']} of the control, by true taste", figures["best"])
    yield ""


def _level(name: str, found: Mapping[str, Any]) -> str:
    cells = [_span(found["hit"]), _span(found["strict"]), _span(found["satisfaction"])]
    return f"| {name} | {' | '.join(cells)} | {found['words']:.1f} | {found['unanswered']} |"


def _world(name: str, world: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {TITLES[name]}"
    yield ""
    refits = ", ".join(f"{state} {count}" for state, count in world["refits"].items()) or "none"
    yield f"Refits: {refits}. Wall time {world['seconds'] / 60:.1f} min."
    yield ""
    yield "| round | messages | judged | 👍 given | true satisfaction in talk | refit | hit − control | satisfaction − control |"  # noqa: E501
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in world["rounds"]:
        yield _round(one)
    yield ""
    for one in world["rounds"]:
        yield from _refit(one)
    yield ""


def _round(one: Mapping[str, Any]) -> str:
    talk, job, against = one["talk"], one["job"], one["against"]
    refit = f"{job['method']}: {job['state']}" if job else "–"
    return (
        f"| {one['number']} | {talk['exchanges']} | {talk['judged']} | {talk['approval']:.3f} | "
        f"{talk['satisfaction']:.3f} | {refit} | {_change(against['hit'])} | {_change(against['satisfaction'])} |"
    )


def _refit(one: Mapping[str, Any]) -> Iterator[str]:
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in one["seconds"].items())
    yield f"- round {one['number']}: {stages}"
    job = one["job"]
    if job:
        inside = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in job["seconds"].items())
        rows = ", ".join(f"{name} {count}" for name, count in job["rows"].items() if count is not None)
        yield f"  - refit `{job['job_id']}` ({inside}); learned from: {rows}"
        for reason in job["reasons"]:
            yield f"  - {reason}"


def _span(found: Mapping[str, float]) -> str:
    return f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _change(found: Mapping[str, Any]) -> str:
    sure = f"p {found['p']:.4f} ({found['p_messages']:.4f})"
    return f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}], {sure}"
