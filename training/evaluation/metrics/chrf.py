"""chrF and chrF++ against the reference (Popović 2015, 2017), 0 to 100, by the `sacrebleu` package, one a sample.

Letters instead of words: Russian endings cost a little instead of the whole word. The mean over samples stands in
tables; it is not the corpus-level chrF, which pools counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluation.metrics.column import Options, Values
from training.evaluation.samples import Sample


def measure(samples: Sequence[Sample], options: Options) -> dict[str, Values]:
    """Both scores; None without a reference."""
    from sacrebleu.metrics.chrf import CHRF

    scorers = {"chrf": CHRF(), "chrf++": CHRF(word_order=2)}
    return {
        name: [
            float(scorer.sentence_score(sample.answer, [sample.reference]).score)
            if sample.reference and sample.reference.strip()
            else None
            for sample in samples
        ]
        for name, scorer in scorers.items()
    }
