"""The gate's error rates: how often candidates of known worth pass.

    python -m bench.gate                                # the figures of docs/gate.md
    python -m bench.gate --candidates 200 --prompts 100  # quicker

Candidates are drawn, not trained: for every prompt whether both systems hit the emotion (prompts differ in how hard
they are), what a preference model and a judge prefer (they agree in part, and like longer answers where that is said),
how long both answers are, and how surprising held-out texts are. The decision is `training.gate.verdict`, as used.
Printed: the share that passes with its 95 % interval (Wilson 1927), by kind of candidate and number of prompts.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from training.evaluation.suspicions import SIGNS
from training.gate import GateRules, verdict
from training.gating.bounds import Numbers
from training.gating.evidence import Columns

PRESETS = ("neutral", "joy", "sadness", "surprise", "fear", "anger", "disgust", "sympathy")
TEXTS = 100
# Where systems without signs of stuffing lie, by column of `suspicions.SIGNS`.
USUAL = {"title_share": 0.02, "shared2": 0.3, "repetition": 0.01, "distinct1": 0.9, "acceptability": 0.8, "gap": 0.05}


@dataclass(frozen=True)
class Kind:
    """A candidate's true worth. `hit`, `preference` and `judge`: gains in [0, 1] over the incumbent's hit rate and over
    one half; `longer`: ratio of lengths; `bias`: how much preference model and judge like length (in standard
    deviations of their opinion); `forgetting`: growth of perplexity; `faults`, `profane`: added shares."""

    name: str
    hit: float = 0.0
    preference: float = 0.0
    judge: float = 0.0
    longer: float = 1.0
    bias: float = 0.0
    forgetting: float = 0.0
    faults: float = 0.0
    profane: float = 0.0
    agree: float = 0.5
    spread: float = 0.35


def better(points: float) -> Kind:
    """Better by so much of 1 in emotion, preferences and judge at once."""
    return Kind(f"better by {100 * points:+.0f} in all", hit=points, preference=points, judge=points)


NULLS = (
    Kind("equal"),
    Kind("equal, opinions do not agree", agree=0.0),
    Kind("equal, length liked, lengths alike", bias=1.0),
    Kind("only 1.1 times longer, length liked", longer=1.1, bias=1.0),
    Kind("only 1.25 times longer, length liked", longer=1.25, bias=1.0),
)
WORSE = (
    Kind("worse by 5 in all", hit=-0.05, preference=-0.05, judge=-0.05),
    Kind("emotion 5 worse, opinions 15 better", hit=-0.05, preference=0.15, judge=0.15),
    replace(better(0.15), name="15 better, but 10 % more perplexed", forgetting=0.10),
    replace(better(0.15), name="15 better, but 5 more faults in 100", faults=0.05),
)
TRULY = (
    better(0.05),
    better(0.10),
    better(0.15),
    Kind("opinions +10, emotion equal", preference=0.10, judge=0.10),
    Kind("opinions +15, emotion equal", preference=0.15, judge=0.15),
    replace(better(0.15), name="+15 in all, 1.1 times longer, length liked", longer=1.1, bias=0.5),
)


# Nothing but the claims can stop a candidate.
CLAIMS_ALONE = GateRules(
    margin_emotion=9,
    margin_opinion=9,
    margin_faults=9,
    margin_profanity=9,
    margin_repetition=9,
    most_forgetting=9,
    most_longer=99,
    preset_drop=9,
    suspicions=False,
)


def draw(kind: Kind, prompts: int, random: np.random.Generator) -> Columns:
    """Evidence of one candidate on `prompts` prompts and 100 texts."""
    ease = random.beta(4.5, 1.5, prompts)
    # A gain helps where there is room for it, a loss hurts where there was something to lose; the mean is the asked.
    room = (1 - ease) / (1 - 0.75) if kind.hit >= 0 else ease / 0.75
    hits = tuple(
        (random.random(prompts) < chance).astype(float) for chance in (ease, np.clip(ease + kind.hit * room, 0, 1))
    )
    lengths: list[Numbers] = [
        np.round(random.lognormal(math.log(90 * ratio), kind.spread, prompts)).astype(np.float64)
        for ratio in (1.0, kind.longer)
    ]
    pull = kind.bias * np.tanh((lengths[1] - lengths[0]) / np.std(lengths[1] - lengths[0]))
    shared = random.normal(size=prompts)
    opinions = [
        pull
        + norm.ppf(0.5 + gain)
        + math.sqrt(kind.agree) * shared
        + math.sqrt(1 - kind.agree) * random.normal(size=prompts)
        for gain in (kind.preference, kind.judge)
    ]
    tokens = random.integers(30, 300, TEXTS).astype(float)
    nats = tokens * random.normal(3.2, 0.3, TEXTS)
    moved = nats + tokens * (math.log1p(kind.forgetting) + random.normal(0, 0.05, TEXTS))
    return Columns(
        emotions=np.array([PRESETS[place % len(PRESETS)] for place in range(prompts)], dtype=object),
        length=(lengths[0], lengths[1]),
        hit=(hits[0], hits[1]),
        fault=_flags(0.01, kind.faults, prompts, random),
        repetition=(random.beta(0.5, 50, prompts), random.beta(0.5, 50, prompts)),
        profane=_flags(0.002, kind.profane, prompts, random),
        crisis=(np.zeros(prompts), np.zeros(prompts)),
        preference=(opinions[0] > 0).astype(float),
        # Two orders of the answers: a judge that is not sure says each once, which is a half.
        judge=(np.sign(opinions[1] + 0.3) + np.sign(opinions[1] - 0.3)) / 4 + 0.5,
        nats=(nats, moved),
        tokens=tokens,
        signs={
            **{name: _noise(USUAL[name], prompts, random) for name in (one.column for one in SIGNS) if name in USUAL},
            "emotion_hit": (hits[0], hits[1]),
        },
    )


def _flags(rate: float, added: float, prompts: int, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    before, now = ((random.random(prompts) < share).astype(float) for share in (rate, rate + added))
    return before, now


def _noise(mean: float, prompts: int, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    before, now = (np.clip(random.normal(mean, 0.1, prompts), 0, 1) for _ in range(2))
    return before, now


def passed(kind: Kind, prompts: int, candidates: int, rules: GateRules, seed: int = 0) -> int:
    """How many of so many drawn candidates the gate lets pass."""
    random = np.random.default_rng([seed, prompts])
    return sum(verdict(draw(kind, prompts, random), rules).passed for _ in range(candidates))


def wilson(count: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.959964, count / of
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--prompts", type=int, nargs="+", default=[100, 200, 500])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.perf_counter()
    print(f"| passes, of {given.candidates} | " + " | ".join(f"{one} prompts" for one in given.prompts) + " |")
    print("| --- |" + " --- |" * len(given.prompts))
    asked = [*((kind, GateRules()) for kind in (*NULLS, *WORSE, *TRULY)), *((kind, CLAIMS_ALONE) for kind in NULLS)]
    for kind, rules in asked:
        cells = []
        for prompts in given.prompts:
            count = passed(kind, prompts, given.candidates, rules, given.seed)
            low, high = wilson(count, given.candidates)
            cells.append(f"{100 * count / given.candidates:.1f} % [{100 * low:.1f}, {100 * high:.1f}]")
        name = f"{kind.name}, by the claims alone" if rules is CLAIMS_ALONE else kind.name
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    decisions = given.candidates * len(given.prompts) * len(asked)
    print(f"\n{1000 * (time.perf_counter() - started) / decisions:.1f} ms a decision")


if __name__ == "__main__":
    main()
