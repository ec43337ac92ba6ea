"""Evaluation: batched answers against one at a time, the judge's cache, growth with prompts, the gate's accuracy.

    python -m bench.evaluation                                  # all parts; the gate on the seed corpus alone
    python -m bench.evaluation --parts growth --prompts 100 1000 10000
    python -m bench.evaluation --parts gate --data FOLDER        # the public emotion sets: CEDR and BRIGHTER dev too

Seconds are the processor's, since other work on the machine is not ours; what is compared is measured in one command,
in turns. Growth and cache use recorded answers and a judge that replies at once: what is left is our own cost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.contracts import Turn
from storage.presets import Presets, load_presets
from training.evaluation.judging.asking import Reply
from training.evaluation.samples import Sample

if TYPE_CHECKING:
    from training.evaluation.answering import Asked, Drawing
    from training.evaluation.plain_engine import PlainEngine

PARTS = ("batching", "cache", "growth", "gate")
# What needs no further model: the metrics of a bench.
METRICS = ("rouge", "chrf", "diversity", "faults", "length")
# Prompts answered in one way before the other way has its turn.
TURN = 32


@dataclass
class Instant:
    """A judge that replies at once, the same to the same request, and counts how often it was asked."""

    name: str = "instant"
    asked: int = field(default=0)

    def ask(self, messages: list[dict[str, str]], seed: int, *, again: bool = False) -> Reply:
        """A verdict that hangs on the request's text alone."""
        self.asked += 1
        choice = random.Random(messages[-1]["content"] + str(seed)).choice((0, 1, 2))
        return Reply(json.dumps(dict.fromkeys(("relevance", "usefulness", "clarity"), choice)), 100, 20)

    def close(self) -> None:
        """Nothing is held."""


def batching(prompts: int, batch: int, most: int) -> dict[str, Any]:
    """Processor seconds of the starter's answers, `batch` at once and one at a time, in turns, and how many differ."""
    from models.settings import STARTER
    from training.evaluation import inputs
    from training.evaluation.answering import Drawing, open_engine

    presets = load_presets()
    with tempfile.TemporaryDirectory(prefix="otklik-bench-") as place:
        asked = inputs.asked(inputs.SEED, Path(place), presets, most=prompts)
    engine = open_engine("bundled", presets)
    draws = {"batched": Drawing(most=most, batch=batch), "single": Drawing(most=most, batch=1)}
    found: dict[str, Any] = {"prompts": len(asked), "batch": batch, "tokens": 0, "differ": 0}
    _answers(engine, STARTER / "adapter", asked[:2], draws["batched"])
    for start in range(0, len(asked), TURN * 2):
        own = asked[start : start + TURN * 2]
        texts = {}
        for name, drawing in draws.items():
            began = time.process_time()
            written = _answers(engine, STARTER / "adapter", own, drawing)
            found[name] = found.get(name, 0.0) + time.process_time() - began
            texts[name] = [one.answer for one in written]
        found["tokens"] += sum(one.tokens for one in written)
        found["differ"] += sum(one != other for one, other in zip(*texts.values(), strict=True))
    return found


def _answers(engine: PlainEngine, adapter: Path, asked: Sequence[Asked], drawing: Drawing) -> list[Sample]:
    from training.evaluation.answering import answers

    return list(answers(engine, adapter, asked, engine.presets, system="starter", drawing=drawing))


def recorded(count: int, system: str, salt: int) -> list[Sample]:
    """Answers to `count` different prompts: sentences of the seed corpus, shuffled, so that they are Russian text."""
    from training.data import seed_corpus

    rows = seed_corpus.load()
    chance = random.Random(f"{system}{salt}")
    found = []
    for number in range(count):
        row, other, third = rows[number % len(rows)], chance.choice(rows), chance.choice(rows)
        answer = " ".join((other.reply, third.reply)) if chance.random() < 0.5 else other.reply
        found.append(
            Sample(
                key=f"{number:x}",
                system=system,
                prompt=(Turn(role="user", text=f"{row.message} {number}"),),
                emotion=("joy", "sadness", "surprise", "fear", "anger")[number % 5],
                reference=row.reply,
                answer=answer,
                tokens=len(answer) // 4,
            )
        )
    return found


def cache(prompts: int, place: Path) -> dict[str, Any]:
    """Judging the same answers twice: processor seconds and how often the judge was asked."""
    found: dict[str, Any] = {"prompts": prompts}
    pairs = list(zip(recorded(prompts, "one", 0), recorded(prompts, "two", 1), strict=True))
    for name in ("first", "second"):
        seconds, asked, _ = judged(pairs, place / "cache" / "verdicts.sqlite3")
        found |= {name: seconds, f"{name}_asked": asked}
    return found


def judged(pairs: Sequence[tuple[Sample, Sample]], file: Path) -> tuple[float, int, list[dict[str, object]]]:
    """Processor seconds of judging and summing up, questions that were asked, and the summary."""
    from training.evaluation.judging import commands, criteria, running
    from training.evaluation.judging.cache import Cache

    judge, known = Instant(), Cache(file)
    began = time.process_time()
    asking = running.Run(judge, criteria.find("general"), known, {})
    answered, _ = asking.ask(running.plan(pairs))
    _, summary = commands.summed_up([answered], asking.criteria, "en", 0, every=False)
    seconds = time.process_time() - began
    known.close()
    return seconds, judge.asked, summary


def growth(prompts: int, place: Path) -> dict[str, Any]:
    """Processor seconds of measuring, testing, writing and judging two systems' recorded answers; peak memory."""
    from training.evaluation import evaluating, gate

    presets: Presets = load_presets()
    systems = {"one": recorded(prompts, "one", 0), "two": recorded(prompts, "two", 1)}
    opinion = gate.load(gate.SEED)
    evaluating.evaluate({name: own[:30] for name, own in systems.items()}, METRICS, presets, gate=opinion)
    began = time.process_time()
    found = evaluating.evaluate(systems, METRICS, presets, gate=opinion)
    place.mkdir(parents=True, exist_ok=True)
    evaluating.write(place, found, systems, {})
    measured = time.process_time() - began
    seconds, asked, _ = judged(list(zip(*systems.values(), strict=True)), place / "verdicts.sqlite3")
    return {"prompts": prompts, "evaluate_s": measured, "judge_s": seconds, "asked": asked, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this program held; `ru_maxrss` may be that of the process which started it."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    found = [float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def gates(data: Path | None) -> dict[str, dict[str, dict[str, float]]]:
    """Gate → dev set → share whose likeliest label is right, with its interval, and macro-F1."""
    from training.evaluation import gate

    found: dict[str, dict[str, dict[str, float]]] = {}
    for where in (gate.SEED, *([f"{gate.JUDGE}{data}"] if data is not None else [])):
        opinion = gate.load(where)
        found[opinion.id] = {}
        for name, rows in gate.dev_sets(data).items():
            right, scores = gate.accuracy(opinion, rows)
            told = {
                "right": right.mean,
                "low": right.low,
                "high": right.high,
                "n": right.n,
                "macro_f1": scores["macro"],
            }
            found[opinion.id][name] = told
    return found


def show_batching(found: dict[str, Any]) -> None:
    """Both ways and their ratio."""
    for name in ("batched", "single"):
        at = found["batch"] if name == "batched" else 1
        print(
            f"answers, {at} at once: {found[name]:.1f} s, {found['prompts'] / found[name]:.1f} answers/s, "
            f"{found['tokens'] / found[name]:.0f} tokens/s"
        )
    same = found["prompts"] - found["differ"]
    print(f"batching: {found['single'] / found['batched']:.1f} times faster; {same} of {found['prompts']} answers same")


def show_cache(found: dict[str, Any]) -> None:
    """First and second run."""
    for name in ("first", "second"):
        print(f"judge, {name} run: {found[f'{name}_asked']} of {2 * found['prompts']} asked, {found[name]:.2f} s")


def show_growth(found: Sequence[dict[str, Any]]) -> None:
    """The figures, and how they grow from size to size."""
    print("prompts  evaluate s  judge s  ms/prompt  peak MiB")
    for one in found:
        each = (one["evaluate_s"] + one["judge_s"]) / one["prompts"] * 1000
        cells = f"{one['evaluate_s']:>11.2f} {one['judge_s']:>8.2f} {each:>10.2f} {one['peak_mib']:>9.0f}"
        print(f"{one['prompts']:>7,} {cells}")
    for before, after in pairwise(found):
        times = {name: after[name] / before[name] for name in ("evaluate_s", "judge_s", "peak_mib")}
        size = after["prompts"] / before["prompts"]
        print(
            f"{size:.0f} times the prompts: evaluation {times['evaluate_s']:.1f} times, "
            f"judging {times['judge_s']:.1f} times the seconds, {times['peak_mib']:.2f} times the memory"
        )


def show_gates(found: dict[str, dict[str, dict[str, float]]], data: Path | None) -> None:
    """Every gate's accuracy; what was not measured is said."""
    for name, sets in found.items():
        for rows, one in sets.items():
            print(
                f"{name} on {rows}: right {one['right']:.3f} [{one['low']:.3f}, {one['high']:.3f}], "
                f"macro-F1 {one['macro_f1']:.3f}, n {one['n']:.0f}"
            )
    if data is None:
        print("CEDR dev, BRIGHTER dev: not measured; give --data FOLDER with the public emotion sets")


def _sizes(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Each size in a process of its own, so that a peak is its own."""
    found = []
    for size in sorted(sizes):
        with tempfile.TemporaryDirectory(prefix="otklik-bench-") as place:
            command = [sys.executable, "-m", "bench.evaluation", "--step", str(size), place]
            env = {**os.environ, "OMP_NUM_THREADS": "1"}
            found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env).stdout))
    return found


def main() -> None:
    """The parts that were asked for, in order."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--answers", type=int, default=168, help="prompts that are answered in both ways")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--most", type=int, default=64, help="new tokens of an answer")
    parser.add_argument("--judged", type=int, default=1000, help="prompts that are judged twice")
    parser.add_argument("--prompts", type=int, nargs="+", default=[100, 1000, 10_000], help="sizes of growth")
    parser.add_argument("--data", type=Path, help="folder of the public emotion sets")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(growth(int(given.step[0]), Path(given.step[1]))))
        return
    found: dict[str, Any] = {}
    if "batching" in given.parts:
        show_batching(found.setdefault("batching", batching(given.answers, given.batch, given.most)))
    if "cache" in given.parts:
        with tempfile.TemporaryDirectory(prefix="otklik-bench-") as place:
            show_cache(found.setdefault("cache", cache(given.judged, Path(place))))
    if "growth" in given.parts:
        show_growth(found.setdefault("growth", _sizes(given.prompts)))
    if "gate" in given.parts:
        show_gates(found.setdefault("gate", gates(given.data)), given.data)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
