"""How varied answers are: each within itself, and all of a system together. Knows words alone.

`distinct-1/2` (Li et al. 2016, arXiv:1510.03055, section 5): different runs of words by all runs. Of a whole system it
falls as text grows, so it is compared only between answers to the same prompts (`training.evaluation.pooled`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from training.evaluation.metrics.column import Options, Values
from training.evaluation.metrics.words import ngrams, words
from training.evaluation.samples import Sample


def measure(samples: Sequence[Sample], options: Options) -> dict[str, Values]:
    """`distinct1`, `distinct2` within each answer, and `shared2`: the share of its word pairs that an answer to
    another prompt has too – 0 for a system that never repeats itself, 1 for one that always says the same."""
    texts = [words(sample.answer) for sample in samples]
    return {
        "distinct1": [distinct([text], 1) for text in texts],
        "distinct2": [distinct([text], 2) for text in texts],
        "shared2": shared(samples, texts),
    }


def runs_of(samples: Mapping[str, Sequence[Sample]], size: int) -> dict[str, dict[str, list[int]]]:
    """System → prompt and seed → the answer's runs of `size` words, each run as one number across all systems.

    Figures of all answers together are computed dozens of times with some left out: words are looked for once.
    """
    numbers: dict[tuple[str, ...], int] = {}
    return {
        system: {
            f"{one.key}/{one.seed}": [numbers.setdefault(run, len(numbers)) for run in ngrams(words(one.answer), size)]
            for one in own
        }
        for system, own in samples.items()
    }


def of_all(runs: Sequence[Sequence[int]]) -> float:
    """Distinct-n of all answers together, from the runs of each, 0 to 1; 0 where no answer has so many words."""
    count = sum(map(len, runs))
    return len(set(chain.from_iterable(runs))) / count if count else 0.0


def distinct(texts: Sequence[Sequence[str]], size: int) -> float | None:
    """Different runs of `size` words / runs, over all texts; None without a run."""
    runs = [run for text in texts for run in ngrams(text, size)]
    return len(set(runs)) / len(runs) if runs else None


def shared(samples: Sequence[Sample], texts: Sequence[Sequence[str]]) -> Values:
    """For each answer the share of its different word pairs that answers to other messages have."""
    pairs = [set(ngrams(text, 2)) for text in texts]
    # An answer to the same message in another emotion may well take up the message's own words.
    asked = [tuple(turn.text for turn in sample.prompt) for sample in samples]
    everywhere, here = Counter[tuple[str, ...]](), Counter[tuple[object, tuple[str, ...]]]()
    for place, own in zip(asked, pairs, strict=True):
        everywhere.update(own)
        here.update((place, pair) for pair in own)
    return [
        sum(everywhere[pair] > here[place, pair] for pair in own) / len(own) if own else None
        for place, own in zip(asked, pairs, strict=True)
    ]
