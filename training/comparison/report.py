"""The HTML report, one self-contained file, and the card. Puts figures, plots and examples in places; measures nothing.

Everything that people or models wrote goes through Jinja's autoescape; only our own plots are put in as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training.comparison import blocks, card, choosing, plots, table, words
from training.comparison.choosing import Result, Shown
from training.comparison.costs import Cost
from training.comparison.judging import Judged
from training.evaluation import absences, emotion, lengths, tables
from training.evaluation.compare import Cell
from training.evaluation.evaluating import trust
from training.evaluation.metrics.column import Absent, Column
from training.evaluation.samples import Sample
from training.evaluation.statistics import CONFIDENCE, Interval

TEMPLATE = Path(__file__).with_name("report.html.jinja")
EXAMPLES = 4


@dataclass(frozen=True)
class Told:
    """All that a report tells. `runs`: a line of the «what was run» table each; `published`: Markdown or None."""

    name: str
    language: str
    costs: Mapping[str, Cost]
    judged: Judged
    presets: Presets
    about: Mapping[str, str]
    runs: Sequence[Mapping[str, str]]
    curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]
    seed: int = 0
    published: str | None = None
    target: float | None = None

    @property
    def words(self) -> dict[str, str]:
        """The language's words."""
        return words.WORDS[self.language]

    @property
    def systems(self) -> list[str]:
        """Systems in order, the base first."""
        return self.judged.found.table.systems


def write(folder: Path, told: Told) -> None:
    """Write `report.html` and, where there is a main result, `card.png`."""
    found = told.judged.found
    result = choosing.result(found.table, told.judged.samples, found.values, told.seed)
    (folder / "report.html").write_text(page(told, result), encoding="utf-8")
    if result is not None:
        name = _name(result.column, told.language)
        prompts = len(next(iter(told.judged.samples.values())))
        under = f"{told.about['weights']} · {prompts} {told.words['prompts']} · {told.words['seed']} {told.seed}"
        lines = words.sentences(result, told.systems[0], told.language)
        card.draw(folder / "card.png", told.words["title"], under, lines, headline_values(told, result.column), name)


def page(told: Told, result: Result | None) -> str:
    """The HTML text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    found, language = told.judged.found, told.language
    tests = sum(cell.difference is not None for cell in found.table.cells.values())
    note = told.words["note"].format(first=told.systems[0], tests=tests, chance=tests * (1 - CONFIDENCE))
    gate = told.judged.gate
    return template.render(
        w=told.words,
        told=told,
        sentences=words.sentences(result, told.systems[0], language) if result else [told.words["nothing"]],
        prompts=len(next(iter(told.judged.samples.values()))),
        note=note,
        gate_note=_gate(told, gate) if gate else "",
        rows=rows(told),
        reasons=reasons(told),
        failures=table.failures(told.costs),
        alarms=alarms(told),
        published=blocks.blocks(told.published) if told.published else [],
        plots=[{"note": "", **one} for one in pictures(told, result.column if result else None)],
        examples=examples(told, result.column) if result else [],
    )


def _gate(told: Told, gate: Mapping[str, Any]) -> str:
    line = trust(gate, told.language).removeprefix("- ")
    picker = told.words["gate_note"].format(picker=told.judged.picker) if told.judged.picker else ""
    return f"{line[:1].upper()}{line[1:]}. {picker}"


def rows(told: Told) -> list[dict[str, Any]]:
    """The table's rows: a title, and for each system a figure, its interval, its difference and what that means."""
    found = told.judged.found.table
    shown = []
    for column in found.columns:
        cells = [_cell(found.cell(column.name, name), column, told.language) for name in found.systems]
        shown.append({"title": tables.title(column, told.language), "cells": cells, "cost": False})
    for title, texts in table.cells(found.systems, told.costs, told.language):
        plain = [{"mean": text, "interval": "", "change": "", "told": "", "kind": ""} for text in texts]
        shown.append({"title": title, "cells": plain, "cost": True})
    return shown


def _cell(cell: Cell, column: Column, language: str) -> dict[str, str]:
    if isinstance(cell.value, Absent):
        return {"mean": words.WORDS[language]["absent"], "interval": "", "change": "", "told": "", "kind": "absent"}
    value, digits = cell.value, column.digits
    few = f" · n {value.n}" if value.few else ""
    return {
        "mean": f"{value.mean:.{digits}f}",
        "interval": f"{value.low:.{digits}f} … {value.high:.{digits}f}{few}",
        "change": _change(cell, digits),
        "told": _told(cell, column, language),
        "kind": _kind(cell, column),
    }


def _change(cell: Cell, digits: int) -> str:
    if cell.difference is None:
        return ""
    one = cell.difference.interval
    return f"{one.mean:+.{digits}f} [{one.low:+.{digits}f}, {one.high:+.{digits}f}]"


def _told(cell: Cell, column: Column, language: str) -> str:
    if cell.difference is None:
        return ""
    words_of = f": {tables.verdict(cell, column, language)}" if cell.difference.verdict != "same" else ""
    return f"p {tables.probability(cell.difference.p)}{words_of}"


def _kind(cell: Cell, column: Column) -> str:
    """`better`, `worse`, `moved` (neither is good by itself), or nothing where no difference was shown."""
    if cell.difference is None or cell.difference.verdict in ("same", "few"):
        return ""
    if column.better is None:
        return "moved"
    return "better" if cell.difference.verdict == column.better else "worse"


def reasons(told: Told) -> list[str]:
    """Why figures are absent, each reason once."""
    found = told.judged.found.table
    why: dict[str, list[str]] = {}
    for column in found.columns:
        for name in found.systems:
            value = found.cell(column.name, name).value
            title = _name(column, told.language)
            if isinstance(value, Absent) and title not in why.setdefault(value.reason, []):
                why[value.reason].append(title)
    return [f"{', '.join(names)}: {absences.told(reason, told.language)}" for reason, names in why.items()]


def alarms(told: Told) -> list[tuple[str, str]]:
    """(`alarm`, `note` or nothing for what is in order, its text) of all alarms and suspicions, the loud ones first."""
    found, language = told.judged.found, told.language
    loud = [one[language] for one in found.alarms.values() if one["verdict"] == "higher"]
    calm = [one[language] for one in found.alarms.values() if one["verdict"] != "higher"]
    notes = [f"{name}: {one[language]}" for name, own in found.suspected.items() for one in own]
    return [*(("alarm", line) for line in loud), *(("note", line) for line in notes), *(("", line) for line in calm)]


def headline_values(told: Told, column: Column) -> dict[str, Interval]:
    """The headline's interval of each system."""
    found = {name: told.judged.found.table.cell(column.name, name).value for name in told.systems}
    return {name: value for name, value in found.items() if isinstance(value, Interval)}


def pictures(told: Told, column: Column | None) -> list[dict[str, str]]:
    """Titles and plots as SVG; what was not measured has no plot."""
    shown = []
    if column is not None:
        values, name = headline_values(told, column), _name(column, told.language)
        shown.append({"title": name, "svg": plots.intervals(values, name)})
        shown += _emotions(told)
        shown += _against(told, values, column)
    looks = plots.style(told.systems)
    for entry, series in told.curves.items():
        if series:
            colour = looks.get(entry, (plots.INK, ""))[0]
            shown.append(
                {"title": told.words["losses"], "svg": plots.curves(series, entry, colour, told.words["step"])}
            )
    return shown


def _emotions(told: Told) -> list[dict[str, str]]:
    rates: dict[str, dict[str, float]] = {}
    for name, judged in told.judged.found.judged.items():
        hits: dict[str, list[float]] = {}
        for sample, preset, row in zip(judged.samples, judged.presets, judged.gate, strict=True):
            hits.setdefault(preset.id, []).append(emotion.hit(sample, preset, row))
        rates[name] = {preset: sum(own) / len(own) for preset, own in hits.items()}
    asked = {preset for own in rates.values() for preset in own}
    titles = {one.id: one.title for one in told.presets.presets if one.id in asked}
    if len(titles) < 3:
        return []
    return [{"title": told.words["radar"], "svg": plots.radar(rates, titles, told.words["radar"])}]


def _against(told: Told, values: Mapping[str, Interval], column: Column) -> list[dict[str, str]]:
    found, name = told.judged.found.table, _name(column, told.language)
    lengths: dict[str, tuple[Interval | float, Interval]] = {}
    minutes: dict[str, tuple[Interval | float, Interval]] = {}
    for system, value in values.items():
        tokens = found.cells.get(("tokens", system))
        if tokens is not None and isinstance(tokens.value, Interval):
            lengths[system] = (tokens.value, value)
        cost = told.costs.get(system)
        minutes[system] = (cost.minutes if cost else 0.0, value)
    shown = []
    if lengths:
        picture = plots.scatter(lengths, told.words["tokens"], name, told.target)
        shown.append({"title": told.words["length"], "svg": picture, "note": _relation(told, column)})
    picture = plots.scatter(minutes, told.words["minutes"], name)
    return [*shown, {"title": told.words["cost"], "svg": picture}]


def _relation(told: Told, column: Column) -> str:
    """Whether longer answers score better, for each system, in a line."""
    name, parts = choosing.FINER.get(column.name, column.name), []
    for system, own in told.judged.samples.items():
        values = told.judged.found.values[system].get(name, Absent("not measured"))
        found = "" if isinstance(values, Absent) else lengths.relation(own, values, told.seed)
        if isinstance(found, Interval):
            parts.append(f"{system} {found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]")
    return told.words["relation"].format(told=", ".join(parts)) if parts else ""


def examples(told: Told, column: Column, count: int = EXAMPLES) -> list[dict[str, Any]]:
    """Groups of examples, each with its rule; answers of all systems and the person's own."""
    samples = told.judged.samples
    shown = choosing.scored(column, samples, told.judged.found.values)
    by_key = {name: {one.key: one for one in own} for name, own in samples.items()}
    score = choosing.FINER.get(column.name, column.name)
    titles = {one.name: _name(one, told.language) for one in told.judged.found.table.columns}
    groups = []
    for rule, chosen in choosing.examples(shown, count).items():
        why = told.words["first_rule" if rule == "first" else "rule"].format(score=titles.get(score, score))
        cards = [_example(told, one, by_key) for one in chosen]
        groups.append({"title": told.words[rule].format(n=len(chosen)), "rule": why, "cards": cards})
    return groups


def _example(told: Told, one: Shown, by_key: Mapping[str, Mapping[str, Sample]]) -> dict[str, Any]:
    first = next(own[one.key] for own in by_key.values() if one.key in own)
    preset = next((item for item in told.presets.presets if item.id == first.emotion), None)
    asked = f"{preset.emoji} {preset.title}, {told.words['intensity']} {first.intensity}" if preset else ""
    answers = [
        {
            "name": name,
            "text": own[one.key].answer or told.words["empty"],
            "score": "" if one.scores.get(name) is None else f"{one.scores[name]:.2f}",
            "tokens": own[one.key].tokens,
        }
        for name, own in by_key.items()
        if one.key in own
    ]
    return {
        "turns": [{"role": turn.role, "text": turn.text} for turn in first.prompt],
        "asked": asked,
        "reference": first.reference,
        "answers": answers,
    }


def _name(column: Column, language: str) -> str:
    return column.russian if language == "ru" else column.title
