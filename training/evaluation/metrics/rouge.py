"""ROUGE-1, 2, L and Lsum against the reference (Lin 2004), F1, by the `rouge-score` package with our tokenizer.

The package's own tokenizer drops everything but a–z and 0–9: two identical Russian texts score 0, and two disjoint
ones that share a number score 1. Lsum takes the union over sentences; texts are split into sentences first.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.metrics.column import Options, Values
from training.evaluation.metrics.words import Tokenizer, words
from training.evaluation.samples import Sample

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def measure(samples: Sequence[Sample], options: Options) -> dict[str, Values]:
    """F1 of each kind, 0 to 1; None without a reference that has a word in it."""
    from rouge_score.rouge_scorer import RougeScorer

    whole = RougeScorer(list(KINDS[:3]), tokenizer=Tokenizer(options.stem))
    summary = RougeScorer(list(KINDS[3:]), tokenizer=Tokenizer(options.stem))
    found: dict[str, Values] = {kind: [] for kind in KINDS}
    for sample in samples:
        scores = {}
        if sample.reference is not None and words(sample.reference):
            scores = whole.score(sample.reference, sample.answer)
            scores |= summary.score(by_line(sample.reference), by_line(sample.answer))
        for kind in KINDS:
            found[kind].append(float(scores[kind].fmeasure) if scores else None)
    return found


def by_line(text: str) -> str:
    """One sentence a line, which is how the package knows sentences."""
    from models.selection import SENTENCE_END

    return SENTENCE_END.sub(lambda end: f"{end[0]}\n", text)
