"""What is decided of a canary, from outcomes of both arms: stop, win, go on, or ask a person. Pure.

Every test is a bet that may be looked at after every rating (`training.sequential`), so that watching does not wear it
out. One chat counts once in an arm however much is said there: with its first outcome, and once more, in a test of its
own, with the mean of its first five (or of those it had when it fell quiet). Whoever floods the bot thereby moves one
observation in hundreds. Arms are compared as they were given (intention to treat): who falls in an arm is chance, who
really meets the canary may depend on which worker has trouble with it. A win asks besides that the arm met it.

Knows no SQL and no adapter; sentences are `training.canary_words`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from training import canary_words as words
from training.sequential import Block, Seen, blocks, lower, mean_difference, shown, upper

ARMS = ("canary", "active")


class Decision(StrEnum):
    """What to do now."""

    STOP_WORSE = "stop_worse"
    WIN = "win"
    CONTINUE = "continue"
    STALE = "stale"


class CanaryRules(BaseModel):
    """Numbers with reasons. Differences are canary minus active on [0, 1]; 0.05 is five answers in a hundred."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    error_stop: float = Field(
        default=0.05, gt=0, lt=0.5, description="Probability of ever stopping a canary that is no worse in anything."
    )
    error_win: float = Field(
        default=0.05, gt=0, lt=0.5, description="Probability of ever promoting a canary that is better in nothing."
    )
    windows: tuple[int, ...] = Field(
        default=(1, 5),
        min_length=1,
        description="A chat counts with the mean of its first so many outcomes.",
    )
    quiet_minutes: float = Field(default=30.0, gt=0, description="A chat silent for so long counts with what it has.")
    least_chats: int = Field(default=50, ge=2, description="Chats that met the canary before it may win.")
    least_raters: int = Field(default=30, ge=2, description="Chats of the canary with ratings before it may win.")
    least_hours: float = Field(default=24.0, ge=0, description="It may win after a day: what is only new wears off.")
    least_met: float = Field(
        default=0.9, ge=0, le=1, description="Part of its arm that must really have been answered by it to win."
    )
    longest_days: float = Field(default=14.0, gt=0, description="Not decided after so long: an admin is asked.")
    guard_hours: float = Field(
        default=72.0, ge=0, description="So long after a promotion a fall takes it back; 0: never."
    )
    guard_chats: int = Field(
        default=50, ge=2, description="Chats before a promotion without which nothing is compared."
    )
    guard_margin: float = Field(
        default=0.05, ge=0, lt=1, description="A fall against the past must be larger: times and people differ."
    )
    guard_swings: float = Field(
        default=2.0,
        ge=0,
        description="Nor is a fall that so many times the usual difference between days would explain: moods swing.",
    )
    fuse_answers: int = Field(default=20, ge=4, description="Newest answers in which half failing stops at once.")
    fuse_chats: int = Field(default=3, ge=1, description="Chats among these, so that no single one blows the fuse.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that happened to an answer. `chat`: what counts once; `person`: whose outcome it is; `value` in [0, 1]
    and better when higher, but for latency: seconds."""

    arm: str
    chat: int
    person: int
    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Measure:
    """How an outcome is tested. `stop_share` of `error_stop`; stopped when shown worse by more than `tolerated`; not
    worse when shown to be less than `margin` worse; `claims`: what it may win by, when better by more than `gain`."""

    name: str
    stop_share: float
    tolerated: float
    margin: float
    claims: bool = False
    gain: float = 0.0


MEASURES = (
    Measure("rating", 0.40, tolerated=0.0, margin=0.10, claims=True),
    Measure("fit", 0.20, tolerated=0.01, margin=0.05, claims=True, gain=0.01),
    Measure("errors", 0.20, tolerated=0.005, margin=0.05),
    Measure("latency", 0.20, tolerated=0.10, margin=0.30),
)
# Answers count as slower only by more than this, on the scale of logarithms: a quarter.
SLOWER = math.log(1.25)


@dataclass(frozen=True, slots=True)
class Line:
    """One measure as it stands: means by arm (canary, active), chats by arm, what was shown. `differences`: those of
    the blocks, by window; `level`: of a window's interval, on each side."""

    name: str
    ours: float
    theirs: float
    chats: tuple[int, int]
    differences: tuple[tuple[float, ...], ...]
    level: float
    worse: bool = False
    kept: bool = False
    better: bool = False

    @property
    def low(self) -> float:
        """What the difference is shown to lie above."""
        return max(lower(one, self.level, -1.0, 1.0) for one in self.differences)

    @property
    def high(self) -> float:
        """What the difference is shown to lie below."""
        return min(upper(one, self.level, -1.0, 1.0) for one in self.differences)


@dataclass(frozen=True, slots=True)
class Finding:
    """The decision with its reasons, in the order of weight."""

    decision: Decision
    reasons_ru: tuple[str, ...] = ()
    reasons_en: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything about a canary that decides. `outcomes` by measure; `began`, `now`: seconds since the same moment;
    `met`: part of the canary arm's answers that the canary gave, None: none yet."""

    outcomes: Mapping[str, Sequence[Outcome]]
    began: float
    now: float
    met: float | None = None
    chats: int = 0
    faults: Sequence[str] = field(default=())


def assess(trial: Trial, rules: CanaryRules | None = None) -> Finding:
    """What to do with a canary. The same outcomes give the same finding, however often it was asked for before."""
    rules = rules or CanaryRules()
    if trial.faults:
        return _found(Decision.STOP_WORSE, [words.not_loaded(trial.faults)])
    if blown := fuse(trial.outcomes.get("errors", ()), rules):
        return _found(Decision.STOP_WORSE, [blown])
    lines = tuple(
        line for one in MEASURES if (line := judge(one, trial.outcomes.get(one.name, ()), trial.now, rules)) is not None
    )
    if worse := [words.worse(line) for line in lines if line.worse]:
        return _found(Decision.STOP_WORSE, worse, lines)
    if wins(lines, trial, rules):
        return _found(Decision.WIN, [words.better(one) if one.better else words.kept(one) for one in lines], lines)
    if trial.now - trial.began > rules.longest_days * 86400:
        return _found(Decision.STALE, [words.undecided(rules.longest_days), *map(words.stands, lines)], lines)
    return _found(Decision.CONTINUE, [], lines)


def judge(measure: Measure, outcomes: Sequence[Outcome], now: float, rules: CanaryRules) -> Line | None:
    """All tests of one measure; None before both arms have an observation."""
    differ = slower if measure.name == "latency" else mean_difference
    levels = len(rules.windows)
    claims = sum(one.claims for one in MEASURES)
    made: Line | None = None
    for window in rules.windows:
        ours, theirs = (observed([one for one in outcomes if one.arm == arm], window, now, rules) for arm in ARMS)
        found = blocks(ours, theirs, differ)
        if not found:
            continue
        stop = rules.error_stop * measure.stop_share / levels
        values = [block.difference for block in found]
        worse = shown([-one for one in values], measure.tolerated, -1.0, stop) is not None
        kept = shown(values, -measure.margin, -1.0, rules.error_win / levels) is not None
        better = measure.claims and _gained(found, measure.gain, rules.error_win / claims / levels)
        line = Line(
            measure.name,
            _mean(ours),
            _mean(theirs),
            (len(ours), len(theirs)),
            (tuple(values),),
            stop,
            worse,
            kept,
            better,
        )
        made = line if made is None else _joined(made, line)
    return made


def observed(outcomes: Sequence[Outcome], window: int, now: float, rules: CanaryRules) -> list[Seen]:
    """One observation a chat: the mean of its first `window` outcomes (of several people: of their means), when they
    are there; a chat that is quiet counts with fewer."""
    by_chat: dict[int, list[Outcome]] = {}
    quiet = rules.quiet_minutes * 60
    for one in sorted(outcomes, key=lambda one: (one.at, one.chat, one.person)):
        found = by_chat.setdefault(one.chat, [])
        # What comes after the silence that closed an observation comes too late for it, in this look and in all others.
        if len(found) < window and (not found or one.at - found[-1].at <= quiet):
            found.append(one)
    closed = []
    for found in by_chat.values():
        full = len(found) == window
        if full or now - found[-1].at > quiet:
            closed.append(Seen(found[-1].at + (0.0 if full else quiet), _of_people(found)))
    return closed


def slower(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How much more often ours is faster than slower, in [−1, 1], of all pairs. Values are seconds; what differs by
    less than a quarter is the same."""
    apart = [math.log(max(b, 1e-3)) - math.log(max(a, 1e-3)) for a in ours for b in theirs]
    return sum((one > SLOWER) - (one < -SLOWER) for one in apart) / len(apart)


def fuse(errors: Sequence[Outcome], rules: CanaryRules) -> words.Said | None:
    """Whether the canary fails so often that no test is waited for: half of its newest answers, in several chats, while
    under a quarter fail in the other arm meanwhile. At a usual rate of failures of one in twenty this happens to fewer
    than one look in ten thousand million."""
    order = sorted(errors, key=lambda one: one.at)
    ours = [one for one in order if one.arm == ARMS[0]][-rules.fuse_answers :]
    failed = [one for one in ours if one.value < 1]
    if len(failed) * 2 < rules.fuse_answers or len({one.chat for one in failed}) < rules.fuse_chats:
        return None
    theirs = [one for one in order if one.arm == ARMS[1] and one.at >= ours[0].at]
    others = sum(one.value < 1 for one in theirs)
    if theirs and others * 4 >= len(theirs):
        return None
    return words.fused(len(failed), len(ours), others, len(theirs))


def wins(lines: Sequence[Line], trial: Trial, rules: CanaryRules) -> bool:
    """Better in something, not worse in anything that was measured, ratings among it, on enough of everything."""
    by_name = {line.name: line for line in lines}
    rating = by_name.get("rating")
    if rating is None or min(rating.chats) < rules.least_raters or trial.chats < rules.least_chats:
        return False
    enough = trial.now - trial.began >= rules.least_hours * 3600 and (trial.met or 0.0) >= rules.least_met
    return enough and all(line.kept for line in lines) and any(line.better for line in lines)


def _gained(found: Sequence[Block], gain: float, level: float) -> bool:
    """Shown to be better, and still so in the later half: what was liked for being new alone is not."""
    values = [block.difference for block in found]
    late = values[len(values) // 2 :]
    return shown(values, gain, -1.0, level) is not None and math.fsum(late) / len(late) > gain


def _joined(first: Line, second: Line) -> Line:
    """Two windows of one measure: each test may decide; the figures are those of the larger window that has any."""
    return Line(
        second.name,
        second.ours,
        second.theirs,
        second.chats if min(second.chats) >= min(first.chats) else first.chats,
        first.differences + second.differences,
        first.level,
        first.worse or second.worse,
        first.kept or second.kept,
        first.better or second.better,
    )


def _of_people(outcomes: Sequence[Outcome]) -> float:
    if len(outcomes) == 1:
        return outcomes[0].value
    by_person: dict[int, list[float]] = {}
    for one in outcomes:
        by_person.setdefault(one.person, []).append(one.value)
    return math.fsum(math.fsum(values) / len(values) for values in by_person.values()) / len(by_person)


def _mean(seen: Sequence[Seen]) -> float:
    return math.fsum(one.value for one in seen) / len(seen)


def _found(decision: Decision, reasons: Sequence[words.Said], lines: tuple[Line, ...] = ()) -> Finding:
    return Finding(decision, tuple(one[0] for one in reasons), tuple(one[1] for one in reasons), lines)
