"""Do small losses of many refits add up? Ten in a row, each a little worse in something, without and with an anchor.

    python -m bench.drift                # the figures of docs/gate.md
    python -m bench.drift --runs 3       # quicker

Refits are drawn, not trained: every one is liked more by the preference model and costs a little of one thing, less
than the gate allows a refit. Whoever passes is the next one's incumbent; the anchor is the version before the first.
The decision is `training.gate.verdict`, as used; a worn adapter is not gone on from, as in `training.cycle.start`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from bench.gate import PRESETS, TEXTS
from training.cycle.start import worn
from training.gate import GateRules, Verdict, verdict
from training.gating.bounds import Numbers
from training.gating.evidence import Columns

REFITS = 10


@dataclass(frozen=True)
class Worth:
    """What a version is truly worth beside the anchor: emotion hit and faults in shares, perplexity as the logarithm of
    its ratio, length as its ratio, what the preference model thinks in standard deviations."""

    hit: float = 0.0
    nats: float = 0.0
    faults: float = 0.0
    longer: float = 1.0
    liked: float = 0.0

    def after(self, step: Worth) -> Worth:
        """This version with another refit on top."""
        return Worth(
            self.hit + step.hit,
            self.nats + step.nats,
            self.faults + step.faults,
            self.longer * step.longer,
            self.liked + step.liked,
        )


LIKED = Worth(liked=float(norm.ppf(0.6)))
STEPS = {
    "nothing": LIKED,
    "6 % of perplexity": replace(LIKED, nats=math.log(1.06)),
    "1 of emotion": replace(LIKED, hit=-0.01),
    "2 of faults": replace(LIKED, faults=0.02),
    "15 % of length": replace(LIKED, longer=1.15),
}


@dataclass(frozen=True)
class Answers:
    """One version's answers to the prompts and its surprise at the texts."""

    hit: Numbers
    fault: Numbers
    length: Numbers
    liked: Numbers
    nats: Numbers


def answers(worth: Worth, ease: Numbers, nats: Numbers, tokens: Numbers, random: np.random.Generator) -> Answers:
    """Drawn; `ease`: how often the anchor hits at each prompt."""
    room = (1 - ease) / (1 - 0.75) if worth.hit >= 0 else ease / 0.75
    return Answers(
        (random.random(len(ease)) < np.clip(ease + worth.hit * room, 0, 1)).astype(float),
        (random.random(len(ease)) < 0.01 + worth.faults).astype(float),
        np.round(random.lognormal(math.log(90 * worth.longer), 0.35, len(ease))),
        worth.liked + random.normal(0, 1 / math.sqrt(2), len(ease)),
        np.maximum(nats + tokens * (worth.nats + random.normal(0, 0.035, len(tokens))), 0.0),
    )


def beside(before: Answers, now: Answers, tokens: Numbers, opinion: bool) -> Columns:
    """Two versions as the gate's columns."""
    nothing = np.zeros(len(now.hit))
    unknown = np.full(len(now.hit), np.nan)
    return Columns(
        emotions=np.array([PRESETS[place % len(PRESETS)] for place in range(len(now.hit))], dtype=object),
        length=(before.length, now.length),
        hit=(before.hit, now.hit),
        fault=(before.fault, now.fault),
        repetition=(nothing, nothing),
        profane=(nothing, nothing),
        crisis=(nothing, nothing),
        preference=(now.liked > before.liked).astype(float) if opinion else unknown,
        judge=unknown,
        nats=(before.nats, now.nats),
        tokens=tokens,
    )


def judged(incumbent: Worth, candidate: Worth, prompts: int, random: np.random.Generator, anchor: bool) -> Verdict:
    """The gate's verdict on one drawn refit."""
    ease = random.beta(4.5, 1.5, prompts)
    tokens = random.integers(30, 300, TEXTS).astype(float)
    nats = tokens * random.normal(3.2, 0.3, TEXTS)
    first, old, new = (answers(one, ease, nats, tokens, random) for one in (Worth(), incumbent, candidate))
    beside_first = beside(first, new, tokens, False) if anchor and incumbent != Worth() else None
    return verdict(beside(old, new, tokens, True), GateRules(), beside_first)


def chain(step: Worth, prompts: int, random: np.random.Generator, anchor: bool) -> tuple[Worth, int]:
    """What answers after ten refits, and how many of them were let through."""
    now, passed, tired = Worth(), 0, False
    for _ in range(REFITS):
        candidate = (Worth() if tired else now).after(step)
        told = judged(now, candidate, prompts, random, anchor)
        if told.passed:
            now, passed = candidate, passed + 1
            tired = anchor and worn({one.name: one.model_dump() for one in told.checks})
    return now, passed


def rows(runs: int, prompts: int, anchor: bool) -> list[str]:
    """A line of the table for each kind of loss."""
    found = []
    for name, step in STEPS.items():
        random = np.random.default_rng(len(name))
        ended = [chain(step, prompts, random, anchor) for _ in range(runs)]
        worst = _worst([one for one, _ in ended])
        promoted = sum(passed for _, passed in ended) / runs
        found.append(f"| {name} | {'yes' if anchor else 'no'} | {promoted:.1f} | {worst} |")
    return found


def _worst(ended: Sequence[Worth]) -> str:
    perplexity = 100 * math.expm1(max(one.nats for one in ended))
    hit = 100 * min(one.hit for one in ended)
    faults = 100 * max(one.faults for one in ended)
    return f"{perplexity:+.0f} % | {hit:+.0f} | {faults:+.0f} | {max(one.longer for one in ended):.1f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=500)
    given = parser.parse_args()
    print("| each refit costs | anchor | promoted of 10 | perplexity | emotion | faults | length |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for pair in zip(rows(given.runs, given.prompts, False), rows(given.runs, given.prompts, True), strict=True):
        print("\n".join(pair), flush=True)


if __name__ == "__main__":
    main()
