"""Whether answers read like sentences of a person, by a classifier trained on judgements such as RuCoLA's.

Make one with `otklik train classifier --recipe training/recipes/classifier_rucola.yaml`. Knows no reference.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from training.evaluation.metrics.column import Absent, Options, Values
from training.evaluation.samples import Sample

# What classifiers call it: ours keep RuCoLA's own 1, published ones have the number of an output or the word.
ACCEPTABLE = ("acceptable", "1", "label_1")
# RuCoLA judges sentences of some length; «Да!» tells nothing.
LEAST_LETTERS = 4
_SENTENCE = re.compile(r"[^.!?…]+[.!?…]*[»\")]*")


def measure(samples: Sequence[Sample], options: Options) -> dict[str, Values] | Absent:
    """The mean probability of an answer's sentences to be acceptable; 0 for an empty answer, None where no sentence is
    long enough to judge."""
    if options.acceptability is None:
        return Absent(
            "no classifier is named; give --acceptability FOLDER (training/recipes/classifier_rucola.yaml makes one)"
        )
    from models.errors import ModelsError
    from models.sequence_classifier import SequenceClassifier

    try:
        classifier = SequenceClassifier.load(options.acceptability, device=options.device)
    except ModelsError as error:
        return Absent(str(error))
    label = next((name for name in ACCEPTABLE if name in classifier.labels), None)
    if label is None:
        return Absent(f"{options.acceptability} has no label for acceptable ({', '.join(classifier.labels)})")
    parts = [sentences(sample.answer) for sample in samples]
    rows = iter(classifier.classify([text for part in parts for text in part]))
    shares = [[next(rows)[label] for _ in part] for part in parts]
    return {
        "acceptability": [
            sum(own) / len(own) if own else (None if sample.answer.strip() else 0.0)
            for own, sample in zip(shares, samples, strict=True)
        ]
    }


def sentences(text: str) -> list[str]:
    """The sentences that are long enough to judge."""
    found = [one.strip() for one in _SENTENCE.findall(text)]
    return [one for one in found if sum(map(str.isalpha, one)) >= LEAST_LETTERS]
