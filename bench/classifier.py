"""The bundled emotion classifier with and without its wide part: texts a second side by side, loading, memory.

    python -m bench.classifier
    python -m bench.classifier --classifier models/starter/classifier --texts 4 --repeats 15

Each round classifies the same held-out seed replies, as many at once as a worker asks about (candidates of one answer),
with the network alone and with both parts, in turn. Printed are medians and their ratio; memory is what the wide part's
arrays take.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from models.sequence_classifier import SequenceClassifier
from models.settings import STARTER
from training.data import seed_corpus


def rate(classifier: SequenceClassifier, texts: list[str], at_once: int) -> float:
    """Texts a second."""
    begun = time.perf_counter()
    for start in range(0, len(texts), at_once):
        classifier.classify(texts[start : start + at_once])
    return len(texts) / (time.perf_counter() - begun)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of the classifier with and without its wide part.")
    parser.add_argument("--classifier", type=Path, default=STARTER / "classifier")
    parser.add_argument("--texts", type=int, nargs="+", default=[4, 32], help="at once")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.perf_counter()
    both = SequenceClassifier.load(str(given.classifier), device="cpu")
    loading = time.perf_counter() - begun
    if both.wide is None:
        raise SystemExit(f"{given.classifier} has no wide part: there is nothing to compare")
    alone = SequenceClassifier(both.model, both.tokenizer, "network", both.thresholds)
    tensors = (both.wide.keys, both.wide.rarity, both.wide.weights)
    size = sum(one.nbytes for one in tensors) / 2**20
    print(f"loaded in {loading:.2f} s; wide part: {len(both.wide.keys):,} hashes, {size:.1f} MiB of memory\n")
    _, held = seed_corpus.split(seed_corpus.load())
    texts = [row.reply for row in held[:320]]
    print("| at once | network alone, texts/s | both, texts/s | ratio |\n| --- | --- | --- | --- |")
    for at_once in given.texts:
        rates: list[tuple[float, float]] = []
        for one in range(given.repeats + 1):
            pair = (rate(alone, texts, at_once), rate(both, texts, at_once))
            if one:  # The first round only warms up.
                rates.append(pair)
        ratio = statistics.median(second / first for first, second in rates)
        first, second = (statistics.median(column) for column in zip(*rates, strict=True))
        print(f"| {at_once} | {first:,.0f} | {second:,.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
