"""The trained entries beside their base on the frozen prompts: answers by the serving engine, figures, alarms.

A seam to `training.evaluation`, which draws and measures; knows entries and costs, no metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.presets import Presets
from training.comparison import verdicts
from training.comparison.costs import Cost
from training.data.rows import Answer
from training.evaluation import answering, evaluating, inputs, systems
from training.evaluation import target as wanted
from training.evaluation.answering import Asked, Drawing
from training.evaluation.evaluating import Found
from training.evaluation.metrics import METRICS, Options
from training.evaluation.samples import Sample
from training.evaluation.systems import System

if TYPE_CHECKING:
    from models.classifier import Classifier
    from training.comparison.frozen import Frozen
    from training.evaluation.gate import Opinion

BASE = "base"
NONE = "none"


@dataclass(frozen=True)
class Asking:
    """How all systems are asked and judged."""

    seed: int = 0
    prompts: int = 160
    most: int = 64
    greedy: bool = False
    batch: int = 32
    metrics: Sequence[str] = tuple(METRICS)
    options: Options = field(default_factory=Options)
    gate: str = "seed"
    picker: str = "bundled"
    texts: Path | None = None
    target: int | None = None


@dataclass(frozen=True)
class Judged:
    """What was found, the samples by system, the gate with its accuracy, and the picking classifier's name."""

    found: Found
    samples: dict[str, list[Sample]]
    gate: Mapping[str, Any] | None
    picker: str | None


def candidates(costs: Mapping[str, Cost], base: str, bases: Mapping[str, str], folder: Path) -> list[System]:
    """The base, then every entry that was trained; entries on other bases bring these too, as `base-NAME`."""
    found = [System(BASE, base)]
    for name, cost in costs.items():
        if cost.folder is None:
            continue
        result, own = folder / cost.folder, bases.get(name, base)
        if own != base:
            found.append(System(f"{BASE}-{name}", own))
        tuned = (result / "adapter_config.json").is_file()
        found.append(System(name, own, result) if tuned else System(name, str(result)))
    return found


def judge(
    chosen: Sequence[System],
    frozen: Frozen,
    presets: Presets,
    folder: Path,
    how: Asking,
    show: Callable[[str], object],
) -> Judged:
    """Draw what is not drawn yet, measure, and write `metrics.json`, tables, `samples/` and `values/`."""
    asked = answering.ask(frozen.answers.held_out(Answer), presets, how.prompts)
    emotional = any(one.preset is not None for one in asked)
    picker = _picker(how.picker) if emotional else None
    gate = _gate(how.gate, picker) if emotional else None
    samples, surprises = _drawn(chosen, asked, presets, folder, how)
    found = evaluating.evaluate(
        samples,
        list(how.metrics),
        presets,
        options=how.options,
        gate=gate,
        picker=picker,
        surprises=surprises,
        seed=how.seed,
        show=show,
    )
    if how.target is not None:
        wanted.columns(found, samples, how.target, how.seed)
    verdicts.add(found.table, folder)
    judged = Judged(found, samples, _trusted(gate, how.gate), picker.id if picker else None)
    if how.target is not None:
        wanted.write(folder, found, samples, how.target, how.seed)
    evaluating.write(folder, found, samples, {"prompts": len(asked), "gate": judged.gate, "picker": judged.picker})
    return judged


def _drawn(
    chosen: Sequence[System], asked: Sequence[Asked], presets: Presets, folder: Path, how: Asking
) -> tuple[dict[str, list[Sample]], Any]:
    texts = inputs.texts(how.texts, 300, presets) if how.texts else ()
    drawing = Drawing(seed=how.seed, most=how.most, greedy=how.greedy, batch=how.batch)
    return systems.gather(chosen, asked, presets, folder, drawing=drawing, texts=texts, references=True)


def _picker(where: str) -> Classifier | None:
    if where == NONE:
        return None
    from models.build import build_classifier
    from models.settings import ModelsSettings

    return build_classifier(ModelsSettings(classifier=where, engine="transformers"))


def _gate(where: str, picker: Classifier | None) -> Opinion | None:
    from training.evaluation import gate

    return None if where == NONE else gate.load(where, picker)


def _trusted(gate: Opinion | None, where: str) -> dict[str, Any] | None:
    """The gate's name, and how often it is right on held-out texts that people labelled."""
    if gate is None:
        return None
    from training.evaluation import gate as gates

    data = Path(where.removeprefix(gates.JUDGE)) if where.startswith(gates.JUDGE) else None
    measured: dict[str, Any] = {}
    for name, rows in gates.dev_sets(data).items():
        right, scores = gates.accuracy(gate, rows)
        measured[name] = {"right": right.mean, "low": right.low, "high": right.high, "n": right.n, "f1": scores}
    return {"id": gate.id, "accuracy": measured}
