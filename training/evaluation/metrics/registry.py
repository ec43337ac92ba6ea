"""All metrics of samples by name, and `measure`, which runs those that are asked for. Imports a metric when it runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from training.evaluation.metrics.column import Absent, Column, Metric, Options, Values
from training.evaluation.samples import Sample
from training.recipes import RecipeError

Measured = dict[str, Values | Absent]
_HERE = "training.evaluation.metrics"

METRICS: dict[str, Metric] = {
    "rouge": Metric(
        f"{_HERE}.rouge:measure",
        (
            Column("rouge1", "ROUGE-1", "ROUGE-1", "higher"),
            Column("rouge2", "ROUGE-2", "ROUGE-2", "higher"),
            Column("rougeL", "ROUGE-L", "ROUGE-L", "higher"),
            Column("rougeLsum", "ROUGE-Lsum", "ROUGE-Lsum", "higher"),
        ),
        "words and runs of words shared with the reference",
        ("rouge-score",),
    ),
    "chrf": Metric(
        f"{_HERE}.chrf:measure",
        (Column("chrf", "chrF", "chrF", "higher", 1), Column("chrf++", "chrF++", "chrF++", "higher", 1)),
        "runs of letters shared with the reference",
        ("sacrebleu",),
    ),
    "bertscore": Metric(
        f"{_HERE}.bertscore:measure",
        (Column("bertscore", "BERTScore", "BERTScore", "higher"),),
        "likeness of meaning to the reference, by an encoder",
    ),
    "bleurt": Metric(
        f"{_HERE}.bleurt:measure",
        (Column("bleurt", "BLEURT", "BLEURT", "higher"),),
        "a person's rating against the reference, as a network guesses it",
    ),
    "acceptability": Metric(
        f"{_HERE}.acceptability:measure",
        (Column("acceptability", "Acceptability", "Приемлемость", "higher"),),
        "whether sentences are ones that people would write",
    ),
    "diversity": Metric(
        f"{_HERE}.diversity:measure",
        (
            Column("distinct1", "Distinct-1 in an answer", "Distinct-1 в ответе", "higher"),
            Column("distinct2", "Distinct-2 in an answer", "Distinct-2 в ответе", "higher"),
            Column("shared2", "Word pairs shared with other answers", "Пары слов, общие с другими ответами", "lower"),
        ),
        "variety within answers and between them",
    ),
    "faults": Metric(
        f"{_HERE}.form:faults",
        (
            Column("empty", "Empty", "Пустые", "lower"),
            Column("looping", "Looping", "Зацикленные", "lower"),
            Column("repetition", "Repeated runs of three words", "Повторы троек слов", "lower"),
        ),
        "answers that serving would not send, and repetition within answers",
    ),
    "length": Metric(
        f"{_HERE}.form:length",
        (
            Column("tokens", "Tokens", "Токены", None, 1),
            Column("words", "Words", "Слова", None, 1),
            Column("characters", "Characters", "Символы", None, 1),
            Column("finished", "Ended by itself", "Закончены сами", "higher"),
        ),
        "how long answers are",
    ),
}


def columns(names: Iterable[str]) -> list[Column]:
    """The columns of metrics, in order; RecipeError names one that there is not."""
    return [column for name in names for column in find(name).columns]


def find(name: str) -> Metric:
    """A metric by name; RecipeError lists what there is."""
    if name not in METRICS:
        raise RecipeError(f"there is no metric '{name}', only {', '.join(METRICS)}")
    return METRICS[name]


def measure(samples: Sequence[Sample], names: Iterable[str], options: Options | None = None) -> Measured:
    """Column → one value a sample, or why the whole column is absent. A metric's missing package is such a reason."""
    found: Measured = {}
    for name in names:
        metric = find(name)
        values = _run(metric, samples, options or Options())
        found |= {
            column.name: values if isinstance(values, Absent) else values[column.name] for column in metric.columns
        }
    return found


def _run(metric: Metric, samples: Sequence[Sample], options: Options) -> Mapping[str, Values] | Absent:
    module, _, function = metric.measure.partition(":")
    call: Callable[[Sequence[Sample], Options], Mapping[str, Values] | Absent]
    call = getattr(importlib.import_module(module), function)
    try:
        return call(samples, options)
    except ModuleNotFoundError as error:
        packages = ", ".join(metric.packages) or error.name
        return Absent(f"the package {packages} is not installed: pip install {packages}")
