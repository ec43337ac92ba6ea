"""What kind of thing a person tells: something good, something bad, a question … «авто» chooses the answer by it, and a
base model whose folder has a reader may be told it (`told` in its chat template).

The emotion classifier reads which emotion a text shows, and that is not the same: «Жена подала на развод» shows none,
and calls for sympathy. Linear weights over hashed n-grams (`models.wide`), learned by `otklik train reader`. Knows
messages; nothing of presets, models or queues.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from models import wide
from models.errors import ClassifierBroken
from storage.presets import KINDS

SURE = 0.5
# Of a base model's folder.
FOLDER = "reader"


class Reader:
    """Tells the kind of messages. `id`: short hash of its weights."""

    def __init__(self, weights: wide.Wide, digest: str = "") -> None:
        self.weights = weights
        self.id = digest

    def kinds(self, texts: Sequence[str]) -> list[str | None]:
        """The likeliest of KINDS for each text; None where none is likelier than not."""
        if not texts:
            return []
        logits = self.weights.logits(texts)
        best = logits.argmax(axis=1)
        sure = 1 / (1 + np.exp(-logits.max(axis=1))) > SURE
        return [KINDS[place] if known else None for place, known in zip(best, sure, strict=True)]


def load_reader(folder: Path) -> Reader | None:
    """The reader in a folder; None if there is none. ClassifierBroken if it is damaged."""
    try:
        weights = wide.read(folder, KINDS)
    except (OSError, ValueError) as error:
        raise ClassifierBroken(f"what people tell cannot be read: {error}") from error
    if weights is None:
        return None
    return Reader(weights, hashlib.sha256((folder / wide.FILE).read_bytes()).hexdigest()[:12])


@lru_cache(maxsize=8)
def reader_of(base: str) -> Reader | None:
    """The reader in a base model's folder, read once; None if there is none, or where `base` is no folder."""
    return load_reader(Path(base) / FOLDER) if base else None
