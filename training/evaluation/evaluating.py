"""One evaluation: samples in, figures, emotion, alarms and suspicions out, and the folder that they are written to.

Knows metrics, gate and tables; neither arguments nor how answers are drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training.evaluation import compare, emotion, suspicions, tables
from training.evaluation.compare import Table
from training.evaluation.emotion import Judged
from training.evaluation.gate import Opinion, titled
from training.evaluation.metrics import Absent, Column, Measured, Options, columns, measure
from training.evaluation.metrics.diversity import of_all, runs_of
from training.evaluation.metrics.perplexity import REFERENCES, TEXTS, Surprise, bits, perplexity
from training.evaluation.samples import Sample
from training.evaluation.statistics import difference

WHOLE = (
    Column("distinct1_all", "Distinct-1 of all answers", "Distinct-1 всех ответов", "higher"),
    Column("distinct2_all", "Distinct-2 of all answers", "Distinct-2 всех ответов", "higher"),
)
SURPRISES = {"texts": TEXTS, "references": REFERENCES}


@dataclass
class Found:
    """What an evaluation found; `alarms` and `suspected` hold `{"en": …, "ru": …}` by system."""

    table: Table
    values: dict[str, Measured]
    judged: dict[str, Judged] = field(default_factory=dict)
    alarms: dict[str, dict[str, str]] = field(default_factory=dict)
    suspected: dict[str, list[dict[str, str]]] = field(default_factory=dict)


def evaluate(
    samples: Mapping[str, Sequence[Sample]],
    metrics: Sequence[str],
    presets: Presets,
    *,
    options: Options | None = None,
    gate: Opinion | None = None,
    picker: Opinion | None = None,
    surprises: Mapping[str, Mapping[str, Sequence[Surprise] | Absent]] | None = None,
    seed: int = 0,
    show: Callable[[str], object] = lambda what: None,
) -> Found:
    """Measure all systems (the first one is what the others are compared with).

    `surprises`: `texts` and `references` → system → what the model made of them.
    """
    values: dict[str, Measured] = {}
    judged: dict[str, Judged] = {}
    for name, own in samples.items():
        show(f"measuring {name}")
        values[name] = measure(own, metrics, options) | suspicions.measured(own, presets)
        if gate is not None:
            judged[name] = emotion.judge(own, presets, gate, picker)
            values[name] |= emotion.values(own, judged[name])
    shown = [*columns(metrics), *(emotion.COLUMNS if gate is not None else ()), suspicions.TITLE]
    table = Table(list(samples))
    for column in shown:
        table.add(column, compare.per_sample(samples, values, column.name, seed))
    if "diversity" in metrics:
        _whole(table, samples)
    _surprises(table, surprises or {})
    found = Found(table, values, judged)
    _warn(found, samples, metrics, presets, options, gate, picker)
    return found


def _whole(table: Table, samples: Mapping[str, Sequence[Sample]]) -> None:
    for size, column in enumerate(WHOLE, 1):
        table.add(column, compare.pooled_cells(runs_of(samples, size), of_all, 1.0))


def _surprises(table: Table, surprises: Mapping[str, Mapping[str, Sequence[Surprise] | Absent]]) -> None:
    for kind, shown in SURPRISES.items():
        if kind not in surprises:
            continue
        items = {
            name: own if isinstance(own, Absent) else {one.key: one for one in own}
            for name, own in surprises[kind].items()
        }
        for column, figure in zip(shown, (perplexity, bits), strict=True):
            table.add(column, compare.pooled_cells(items, figure))


def _warn(
    found: Found,
    samples: Mapping[str, Sequence[Sample]],
    metrics: Sequence[str],
    presets: Presets,
    options: Options | None,
    gate: Opinion | None,
    picker: Opinion | None,
) -> None:
    """Suspicions against people's answers and the first system; alarms where the gap to the gate widened."""
    first = found.table.systems[0]
    for name, own in samples.items():
        people = suspicions.references(own)
        told: list[dict[str, str]] = []
        if people:
            cheap = [one for one in metrics if one in ("diversity", "faults", "acceptability")]
            theirs = measure(people, cheap, options) | suspicions.measured(people, presets)
            if gate is not None:
                theirs |= emotion.values(people, emotion.judge(people, presets, gate, picker))
            told += _told(found.values[name], theirs, "people's answers", "ответами людей")
        if name != first:
            ours, base = _same_prompts(found, samples, name, first)
            told += _told(ours, base, f"«{first}»", f"«{first}»")
        found.suspected[name] = told
        if name != first and gate is not None and picker is not None:
            alarm = _alarm(found, samples, name, first)
            if alarm:
                found.alarms[name] = alarm


def _told(ours: Measured, theirs: Measured, english: str, russian: str) -> list[dict[str, str]]:
    return [
        {
            "sign": one.sign.column,
            "against": english,
            "en": f"against {english}: {one.words('en')}",
            "ru": f"в сравнении с {russian}: {one.words('ru')}",
        }
        for one in suspicions.suspicions(ours, theirs)
    ]


def _same_prompts(
    found: Found, samples: Mapping[str, Sequence[Sample]], name: str, first: str
) -> tuple[Measured, Measured]:
    """Values of two systems brought to the prompts that both answered, in one order."""
    places = [
        {(sample.key, sample.seed): index for index, sample in enumerate(samples[system])} for system in (name, first)
    ]
    both = [key for key in places[0] if key in places[1]]

    def brought(system: str, own: Mapping[tuple[str, int], int]) -> Measured:
        return {
            column: values if isinstance(values, Absent) else [values[own[key]] for key in both]
            for column, values in found.values[system].items()
        }

    return brought(name, places[0]), brought(first, places[1])


def _alarm(found: Found, samples: Mapping[str, Sequence[Sample]], name: str, first: str) -> dict[str, str]:
    ours, base = _same_prompts(found, samples, name, first)
    one, other = ours["gap"], base["gap"]
    if isinstance(one, Absent) or isinstance(other, Absent):
        return {}
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    if not pairs:
        return {}
    widened = difference([a for a, _ in pairs], [b for _, b in pairs])
    words = {language: emotion.alarm(name, first, widened, language) for language in ("en", "ru")}
    return {**words, "verdict": widened.verdict}


def write(folder: Path, found: Found, samples: Mapping[str, Sequence[Sample]], about: Mapping[str, Any]) -> None:
    """`metrics.json`, `table.md`, `table.ru.md`, `table.csv`, `table.tex`, and `values/NAME.jsonl` by sample."""
    whole = {
        **about,
        "systems": found.table.as_json(),
        "emotion": {name: emotion.as_json(own) for name, own in found.judged.items()},
        "alarms": found.alarms,
        "suspicions": found.suspected,
    }
    (folder / "values").mkdir(parents=True, exist_ok=True)
    for name, own in samples.items():
        _values(folder / "values" / f"{name}.jsonl", own, found.values[name])
    for language, suffix in (("en", ""), ("ru", ".ru")):
        text = tables.markdown(found.table, language) + warnings(found, language)
        text += f"\n{trust(about['gate'], language)}\n" if about.get("gate") else ""
        (folder / f"table{suffix}.md").write_text(text, encoding="utf-8")
    (folder / "table.csv").write_text(tables.as_csv(found.table), encoding="utf-8")
    (folder / "table.tex").write_text(tables.latex(found.table), encoding="utf-8")
    text = json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")


def trust(gate: Mapping[str, Any], language: str = "en") -> str:
    """The gate's name, and how often its likeliest label is right on held-out texts that people labelled."""
    rates = ", ".join(
        f"{name.removesuffix('_dev')} {one['right']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
        for name, one in gate["accuracy"].items()
    )
    said = (
        "независимый классификатор: {}; прав на размеченных людьми текстах: {}"
        if language == "ru"
        else ("gate: {}; right on texts that people labelled: {}")
    )
    return "- " + said.format(titled(gate["id"], language), rates)


def warnings(found: Found, language: str = "en") -> str:
    """Alarms and suspicions as Markdown; empty if there are none to tell."""
    lines = [f"- {words[language]}" for words in found.alarms.values()]
    lines += [f"- {name}, {one[language]}" for name, told in found.suspected.items() for one in told]
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def _values(path: Path, samples: Sequence[Sample], measured: Measured) -> None:
    with path.open("w", encoding="utf-8") as out:
        for place, sample in enumerate(samples):
            row: dict[str, Any] = {"key": sample.key, "seed": sample.seed}
            row |= {name: own[place] for name, own in measured.items() if not isinstance(own, Absent)}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
