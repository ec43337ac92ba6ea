"""An evaluation's lengths against a wanted one: two columns of the table, distributions, quality against length drawn.

Knows files and columns; what a length is, is `lengths`' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from training.evaluation import compare, lengths
from training.evaluation.evaluating import Found
from training.evaluation.metrics.column import Absent, Column, Values
from training.evaluation.metrics.registry import METRICS
from training.evaluation.samples import Sample

FIGURES, PICTURE = "lengths.json", "lengths.png"
# What quality is, the first that was measured of all systems: a probability tells more than a hit.
QUALITY = ("emotion_p", "bleurt", "rouge1", "chrf")
WORDS = {
    "en": "- {system}: median {median:.0f} tokens (5 to 95 %: {low:.0f} to {high:.0f}); within a tenth of {target}: "
    "{within:.0%}, shorter {under:.0%}, longer {over:.0%}, cut by the limit {cut:.0%}",
    "ru": "- {system}: медиана {median:.0f} токенов (от 5 до 95 %: {low:.0f}–{high:.0f}); в пределах десятой от "
    "{target}: {within:.0%}, короче {under:.0%}, длиннее {over:.0%}, обрезано пределом {cut:.0%}",
}


def columns(found: Found, samples: Mapping[str, Sequence[Sample]], target: int, seed: int = 0) -> None:
    """Two columns more: how far answers are from the wanted length, and how many lie within a tenth of it."""
    for name, own in samples.items():
        found.values[name] |= lengths.measure(own, target)
    titles = (
        Column("off_target", f"Tokens over {target}", f"Токенов сверх {target}", None, 1),
        Column("within", f"Length within a tenth of {target}", f"Длина в пределах десятой от {target}", "higher"),
    )
    for column in titles:
        found.table.add(column, compare.per_sample(samples, found.values, column.name, seed))


def write(
    folder: Path,
    found: Found,
    samples: Mapping[str, Sequence[Sample]],
    target: int,
    seed: int = 0,
    language: str = "en",
) -> list[str]:
    """`lengths.json`, and `lengths.png` where a quality was measured; a line for each system to be shown."""
    told = {name: lengths.summary(own, target, seed=seed) for name, own in samples.items()}
    plain = {name: {"absent": one} if isinstance(one, str) else asdict(one) for name, one in told.items()}
    (folder / FIGURES).write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if quality := _quality(found):
        column, values = quality
        systems = {name: (samples[name], own) for name, own in values.items()}
        title = column.russian if language == "ru" else column.title
        lengths.draw(systems, folder / PICTURE, title, target, language=language)
    return [f"- {name}: {one}" if isinstance(one, str) else _line(name, one, language) for name, one in told.items()]


def _line(name: str, one: lengths.Lengths, language: str) -> str:
    low, _, median, _, high = one.quantiles
    shares = {part: getattr(one, part).mean for part in ("within", "under", "over", "cut")}
    return WORDS[language].format(system=name, median=median, low=low, high=high, target=one.target, **shares)


def _quality(found: Found) -> tuple[Column, dict[str, Values]] | None:
    """The column and its values by system; None where no quality was measured of all."""
    titles = {one.name: one for metric in METRICS.values() for one in metric.columns}
    titles |= {one.name: one for one in found.table.columns}
    for name in QUALITY:
        values = {system: own.get(name, Absent("not measured")) for system, own in found.values.items()}
        ready = {system: own for system, own in values.items() if not isinstance(own, Absent)}
        if len(ready) == len(values) and any(one is not None for own in ready.values() for one in own):
            return titles[name], ready
    return None
