import csv
import io
import math
from typing import Any

import numpy as np
import pytest

from tests.training.evaluation.answers import different, sample
from training.evaluation import compare, pooled, tables
from training.evaluation.compare import Cell, Table
from training.evaluation.metrics import Absent, Column, Values
from training.evaluation.metrics.diversity import of_all, runs_of
from training.evaluation.metrics.perplexity import Surprise, bits, perplexity
from training.evaluation.metrics.registry import Measured
from training.evaluation.samples import Sample

SCORE = Column("score", "Score_1", "Оценка", "higher")
LOOPS = Column("loops", "Loops", "Петли", "lower")


def made(count: int = 40, shift: float = 0.2) -> Table:
    """Two systems on the same prompts, the second higher by `shift`; nothing measured of loops."""
    draw = np.random.default_rng(0)
    base = draw.normal(0.5, 0.1, count)
    numbers: dict[str, Values] = {
        "base": base.tolist(),
        "tuned": (base + shift + draw.normal(0, 0.02, count)).tolist(),
    }
    samples: dict[str, list[Sample]] = {name: different(["да"] * count, name) for name in numbers}
    measured: dict[str, Measured] = {
        name: {"score": values, "loops": Absent("no reason & 100 % sure")} for name, values in numbers.items()
    }
    table = Table(["base", "tuned"])
    for column in (SCORE, LOOPS):
        table.add(column, compare.per_sample(samples, measured, column.name))
    return table


def test_a_difference_is_told_with_what_it_means() -> None:
    table = made()
    assert tables.verdict(table.cell("score", "tuned"), SCORE) == "better"
    assert tables.verdict(table.cell("score", "tuned"), LOOPS) == "worse"
    assert tables.verdict(table.cell("score", "tuned"), Column("n", "N", "N"), "ru") == "выше"
    assert table.cell("score", "base").difference is None


def test_too_few_prompts_are_told_in_words_in_every_form() -> None:
    table = made(12)
    assert "too few prompts (12, 20 are needed)" in tables.markdown(table)
    assert "мало запросов (12, нужно 20)" in tables.markdown(table, "ru")
    assert ",few," in tables.as_csv(table)
    assert "$^{*}$" not in tables.latex(table)


def test_what_is_absent_is_never_a_number() -> None:
    table = made()
    shown = tables.markdown(table)
    assert "| Loops ↓ | not available | not available |" in shown
    assert "- loops: no reason & 100 % sure" in shown
    assert r"Loops $\downarrow$ & -- & --" in tables.latex(table)
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(table))))
    assert [(row["mean"], row["not_available"]) for row in rows if row["metric"] == "loops"] == [
        ("", "no reason & 100 % sure")
    ] * 2
    assert table.as_json()["tuned"]["loops"] == {"absent": "no reason & 100 % sure"}


def test_latex_escapes_names_and_marks_what_is_shown() -> None:
    shown = tables.latex(made())
    assert r"Score\_1 $\uparrow$ &" in shown
    assert shown.count("$^{*}$") == 1
    assert tables.escape(r"50 % & {a}\b") == r"50 \% \& \{a\}\textbackslash{}b"


def test_the_note_says_how_many_differences_chance_shows() -> None:
    draw = np.random.default_rng(1)
    table = Table(["a", "b"])
    samples = {name: different(["да"] * 30, name) for name in table.systems}
    for place in range(40):
        column = Column(f"c{place}", f"C{place}", f"К{place}", "higher")
        measured = {name: {column.name: draw.normal(0, 1, 30).tolist()} for name in table.systems}
        table.add(column, compare.per_sample(samples, measured, column.name))
    assert "Of 40 differences looked at, chance alone shows about 2." in tables.note(table)


def test_systems_are_compared_on_the_prompts_that_both_answered() -> None:
    one = [sample("да", key=str(n)) for n in range(50)]
    other = [sample("да", key=str(n), system="two") for n in range(25, 75)]
    values: dict[str, Measured] = {
        "one": {"x": [*[1.0] * 25, *[2.0] * 25]},
        "two": {"x": [*[2.0] * 25, *[9.0] * 25]},
    }
    cell = compare.per_sample({"one": one, "two": other}, values, "x")["two"]
    assert cell.difference is not None
    assert (cell.difference.interval.n, cell.difference.interval.mean) == (25, 0.0)


def test_answers_with_other_seeds_count_as_one_prompt() -> None:
    samples = [sample("да", key="a", seed=seed) for seed in range(3)] + [sample("да", key="b")]
    assert compare.by_prompt(samples, [1.0, 2.0, None, 4.0]) == {"a": 1.5, "b": 4.0}


def test_a_column_without_any_value_says_why() -> None:
    cells = compare.per_sample({"one": [sample("да")]}, {"one": {"x": [None]}}, "x")
    assert isinstance(cells["one"].value, Absent)
    assert "no reference" in cells["one"].value.reason


def test_pooled_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    draw = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        found = pooled.interval(draw.exponential(1, 100).tolist(), lambda part: sum(part) / len(part))
        covered += found.low <= 1 <= found.high
    assert 0.87 <= covered / 200 <= 0.99


def test_pooled_differences_are_found_and_not_invented() -> None:
    draw = np.random.default_rng(6)
    base = draw.normal(0, 1, 200)

    def mean(part: Any) -> float:
        return float(np.mean(part))

    shown = pooled.difference((base + 0.3 + draw.normal(0, 0.2, 200)).tolist(), base.tolist(), mean)
    assert shown.verdict == "higher" and shown.p < 0.001
    wrong = sum(
        pooled.difference(draw.normal(0, 1, 60).tolist(), draw.normal(0, 1, 60).tolist(), mean).verdict != "same"
        for _ in range(200)
    )
    assert wrong <= 24
    with pytest.raises(ValueError, match="one length"):
        pooled.difference([1.0], [1.0, 2.0], mean)


def test_all_answers_alike_are_less_distinct_than_different_ones() -> None:
    varied = different([f"ответ {n} и слово {n * 7}" for n in range(40)])
    stuffed = different(["Радость! Я так рад! Радость!"] * 40)
    cells = compare.pooled_cells(runs_of({"varied": varied, "stuffed": stuffed}, 2), of_all)
    cell: Cell = cells["stuffed"]
    assert cell.difference is not None and cell.difference.verdict == "lower"
    assert not isinstance(cell.value, Absent) and cell.value.mean == pytest.approx(4 / 160)


def test_perplexity_counts_tokens_and_characters() -> None:
    found = [Surprise("a", 4 * math.log(8), 4, 12), Surprise("b", 2 * math.log(8), 2, 6)]
    assert perplexity(found) == pytest.approx(8)
    assert bits(found) == pytest.approx(6 * 3 / 18)
