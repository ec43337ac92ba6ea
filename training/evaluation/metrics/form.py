"""How answers look without reading them: length, emptiness, loops, repetition within them. Knows no reference."""

from __future__ import annotations

from collections.abc import Sequence

from models.selection import Defect, defect, looping
from training.evaluation.metrics.column import Options, Values
from training.evaluation.metrics.words import ngrams, words
from training.evaluation.samples import Sample

REPEATED = 3


def length(samples: Sequence[Sample], options: Options) -> dict[str, Values]:
    """Tokens (of the system's own tokenizer, None where they were not counted), words, characters, and whether the
    answer ended by itself."""
    return {
        "tokens": [float(sample.tokens) if sample.tokens or not sample.answer else None for sample in samples],
        "words": [float(len(words(sample.answer))) for sample in samples],
        "characters": [float(len(sample.answer)) for sample in samples],
        "finished": [float(sample.finished) for sample in samples],
    }


def faults(samples: Sequence[Sample], options: Options) -> dict[str, Values]:
    """1 for an answer without content, 1 for one that loops, as serving judges them; and the share of repeated runs
    of three words."""
    return {
        "empty": [float(defect(one.answer, one.prompt[-1].text) is Defect.EMPTY) for one in samples],
        "looping": [float(looping(one.answer)) for one in samples],
        "repetition": [repetition(one.answer) for one in samples],
    }


def repetition(text: str, size: int = REPEATED) -> float | None:
    """Share of a text's runs of `size` words that stood in it before; None if it has no such run.

    `rep-n` of Welleck et al. 2020 (arXiv:1908.04319): 1 − different runs / runs.
    """
    runs = ngrams(words(text), size)
    return 1 - len(set(runs)) / len(runs) if runs else None
