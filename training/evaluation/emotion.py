"""Whether answers carry the emotion that was asked for, by a gate that nobody trained or picked with, and where the
classifier that picks candidates sees more of it than the gate does.

Everything is one number an answer where it can be, so that systems are compared prompt by prompt. Knows samples and
opinions; no table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.classifier import fit, strongest
from storage.presets import Preset, Presets
from training.evaluation.gate import Opinion
from training.evaluation.metrics.column import Absent, Column, Values
from training.evaluation.metrics.registry import Measured
from training.evaluation.samples import Sample
from training.evaluation.statistics import Difference, Interval, interval

COLUMNS = (
    Column("emotion_hit", "Emotion hit (gate)", "Попадание в эмоцию (независимый)", "higher"),
    Column("emotion_p", "Probability of the emotion (gate)", "Вероятность эмоции (независимый)", "higher"),
    Column("picker_hit", "Emotion hit (picking classifier)", "Попадание (выбирающий классификатор)", None),
    Column("gap", "Gap: picking classifier − gate", "Разрыв: выбирающий − независимый", "lower"),
)
BINS = 10
WORDS = {
    "en": {
        "higher": "ALARM, reward hacking: the gap between picking classifier and gate is {mean:+.2f} [{low:+.2f}, "
        "{high:+.2f}] wider in «{system}» than in «{first}»: it pleases the classifier more than it carries emotion",
        "few": "too few prompts ({n}) to tell whether «{system}» deceives the picking classifier",
        "same": "no sign that «{system}» deceives the picking classifier more than «{first}» does",
        "lower": "«{system}» deceives the picking classifier less than «{first}» does",
    },
    "ru": {
        "higher": "ТРЕВОГА, обман награды: разрыв между выбирающим и независимым классификатором у «{system}» на "
        "{mean:+.2f} [{low:+.2f}, {high:+.2f}] шире, чем у «{first}»: классификатору ответы нравятся больше, чем в "
        "них эмоции",
        "few": "слишком мало запросов ({n}), чтобы судить, обманывает ли «{system}» выбирающий классификатор",
        "same": "не видно, чтобы «{system}» обманывала выбирающий классификатор больше, чем «{first}»",
        "lower": "«{system}» обманывает выбирающий классификатор меньше, чем «{first}»",
    },
}


@dataclass(frozen=True)
class Judged:
    """Answers with an emotion, and what gate and picker say of each. `picker` is None where none was asked."""

    samples: tuple[Sample, ...]
    presets: tuple[Preset, ...]
    gate: tuple[Mapping[str, float], ...]
    picker: tuple[Mapping[str, float], ...] | None


@dataclass(frozen=True)
class Bin:
    """Answers whose probability lies in [low, high): the mean of it, and how many of the `n` were hits."""

    low: float
    high: float
    confidence: float
    rate: float
    n: int


def judge(samples: Sequence[Sample], presets: Presets, gate: Opinion, picker: Opinion | None = None) -> Judged:
    """Ask both opinions about the answers whose preset has a label that the gate knows."""
    asked: list[tuple[Sample, Preset]] = []
    for sample in samples:
        preset = presets.find(sample.emotion) if sample.emotion else None
        if isinstance(preset, Preset) and set(preset.labels) & set(gate.labels):
            asked.append((sample, preset))
    texts = [sample.answer for sample, _ in asked]
    return Judged(
        tuple(sample for sample, _ in asked),
        tuple(preset for _, preset in asked),
        tuple(gate.classify(texts)),
        tuple(picker.classify(texts)) if picker is not None else None,
    )


def values(samples: Sequence[Sample], judged: Judged) -> Measured:
    """The columns of `COLUMNS` for all samples; None for those without an emotion that the gate knows."""
    hits = [hit(*one) for one in zip(judged.samples, judged.presets, judged.gate, strict=True)]
    sure = [
        fit(preset, row) if sample.answer.strip() else 0.0
        for sample, preset, row in zip(judged.samples, judged.presets, judged.gate, strict=True)
    ]
    found: Measured = {"emotion_hit": _spread(samples, judged, hits), "emotion_p": _spread(samples, judged, sure)}
    if judged.picker is None:
        missing = Absent("the answers were not shown to a picking classifier; give --picker")
        return found | {"picker_hit": missing, "gap": missing}
    pleased = [hit(*one) for one in zip(judged.samples, judged.presets, judged.picker, strict=True)]
    gaps: Values = [one - two for one, two in zip(pleased, hits, strict=True)]
    return found | {"picker_hit": _spread(samples, judged, list(pleased)), "gap": _spread(samples, judged, gaps)}


def hit(sample: Sample, preset: Preset, row: Mapping[str, float]) -> float:
    """1 if the likeliest label is one of the preset's; 0 otherwise, and for an empty answer."""
    return float(bool(sample.answer.strip()) and strongest(row) in preset.labels)


def rates(judged: Judged) -> dict[tuple[str, int], Interval]:
    """Hit rate of the gate by preset and intensity."""
    groups: dict[tuple[str, int], list[float]] = defaultdict(list)
    for sample, preset, row in zip(judged.samples, judged.presets, judged.gate, strict=True):
        groups[preset.id, sample.intensity].append(hit(sample, preset, row))
    return {cell: interval(own) for cell, own in sorted(groups.items())}


def strengths(judged: Judged) -> dict[tuple[str, int], Interval]:
    """Mean probability of the asked emotion by preset and intensity: it must rise with the intensity."""
    groups: dict[tuple[str, int], list[float]] = defaultdict(list)
    for sample, preset, row in zip(judged.samples, judged.presets, judged.gate, strict=True):
        groups[preset.id, sample.intensity].append(fit(preset, row) or 0.0)
    return {cell: interval(own) for cell, own in sorted(groups.items())}


def confusion(judged: Judged) -> dict[str, dict[str, float]]:
    """Asked preset → share of each label as the likeliest one."""
    groups: dict[str, list[str]] = defaultdict(list)
    for preset, row in zip(judged.presets, judged.gate, strict=True):
        groups[preset.id].append(strongest(row))
    labels = sorted({label for row in judged.gate for label in row})
    return {preset: {label: own.count(label) / len(own) for label in labels} for preset, own in sorted(groups.items())}


def reliability(probabilities: Sequence[float], hits: Sequence[float], bins: int = BINS) -> list[Bin]:
    """Answers by probability in equal bins, empty ones left out (Guo et al. 2017, arXiv:1706.04599, section 2)."""
    groups: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for probability, right in zip(probabilities, hits, strict=True):
        groups[min(bins - 1, int(probability * bins))].append((probability, right))
    return [
        Bin(
            place / bins,
            (place + 1) / bins,
            sum(probability for probability, _ in own) / len(own),
            sum(right for _, right in own) / len(own),
            len(own),
        )
        for place, own in sorted(groups.items())
    ]


def calibration_error(found: Sequence[Bin]) -> float:
    """Expected calibration error, Σ n/N · |rate − confidence| (ibid., eq. 3), which few answers raise; 0 without."""
    total = sum(one.n for one in found)
    return sum(one.n * abs(one.rate - one.confidence) for one in found) / total if total else 0.0


def calibration(judged: Judged) -> dict[str, list[Bin]]:
    """`gate`: its probability of its own likeliest label against whether that label was asked for. `picker`: the fit
    that people are shown (its probability of the asked emotion) against the gate's verdict; only with a picker."""
    hits = [hit(*one) for one in zip(judged.samples, judged.presets, judged.gate, strict=True)]
    found = {"gate": reliability([max(row.values()) for row in judged.gate], hits)}
    if judged.picker is not None:
        fits = [fit(preset, row) or 0.0 for preset, row in zip(judged.presets, judged.picker, strict=True)]
        found["picker"] = reliability(fits, hits)
    return found


def alarm(system: str, first: str, widened: Difference, language: str = "en") -> str:
    """What the difference of two systems' gaps says of reward hacking, in words."""
    one = widened.interval
    return WORDS[language][widened.verdict].format(
        system=system, first=first, mean=one.mean, low=one.low, high=one.high, n=one.n
    )


def as_json(judged: Judged) -> dict[str, Any]:
    """Rates, strengths, confusion and calibration by name, for `metrics.json`; {} without such answers."""
    if not judged.samples:
        return {}
    found: dict[str, Any] = {"confusion": confusion(judged)}
    for name, cells in (("hit", rates(judged)), ("probability", strengths(judged))):
        found[name] = [
            {"preset": preset, "intensity": step, "mean": one.mean, "low": one.low, "high": one.high, "n": one.n}
            for (preset, step), one in cells.items()
        ]
    bins = calibration(judged)
    found["calibration"] = {
        name: {"ece": calibration_error(own), "bins": [vars(one) for one in own]} for name, own in bins.items()
    }
    found["calibration_by_cell"] = [
        {"preset": preset, "intensity": step}
        | {name: calibration_error(own) for name, own in calibration(_only(judged, preset, step)).items()}
        for preset, step in rates(judged)
    ]
    return found


def _only(judged: Judged, preset: str, step: int) -> Judged:
    chosen = [
        index
        for index, (one, sample) in enumerate(zip(judged.presets, judged.samples, strict=True))
        if one.id == preset and sample.intensity == step
    ]
    return Judged(
        tuple(judged.samples[index] for index in chosen),
        tuple(judged.presets[index] for index in chosen),
        tuple(judged.gate[index] for index in chosen),
        None if judged.picker is None else tuple(judged.picker[index] for index in chosen),
    )


def _spread(samples: Sequence[Sample], judged: Judged, own: Sequence[float | None]) -> Values:
    """Values of the judged samples in the places of all."""
    by_sample = {id(sample): value for sample, value in zip(judged.samples, own, strict=True)}
    return [by_sample.get(id(sample)) for sample in samples]
