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
from models.subjects import ABOUT, NONE, TALK
from storage.presets import KINDS

# A kind that is likely is told, since a model that is told nothing mistakes more kinds than the reader does; an answer
# about the wrong subject is worse than one about none.
LIKELY, SURE_OF_SUBJECT = 0.3, 0.8
# Of a base model's folder, and of the reader's.
FOLDER, SUBJECTS_IN = "reader", "subjects"


class Reader:
    """Tells the kind of messages, and what they are about where it has weights for that. `id`: short hash of both."""

    def __init__(self, weights: wide.Wide, digest: str = "", subjects: wide.Wide | None = None) -> None:
        self.weights = weights
        self.about = subjects
        self.id = digest

    def kinds(self, texts: Sequence[str]) -> list[str | None]:
        """The likeliest of KINDS for each text; None where none is likely. What is surely said to the bot itself is of
        the kind that it is."""
        likely = _likeliest(self.weights, texts, KINDS, LIKELY)
        return [TALK.get(one or "", kind) for one, kind in zip(self.subjects(texts), likely, strict=True)]

    def subjects(self, texts: Sequence[str]) -> list[str | None]:
        """The likeliest of SUBJECTS and TALK for each text; None where none is likely enough."""
        if self.about is None:
            return [None] * len(texts)
        return [None if one == NONE else one for one in _likeliest(self.about, texts, ABOUT, SURE_OF_SUBJECT)]

    def hints(self, text: str) -> dict[str, str]:
        """What a chat template is told of a message: `told`, its kind, and `about`, its subject, each "" where the
        reader does not say. A question about the bot has none but those of TALK: no reply to one speaks of another."""
        (kind,), (subject,) = self.kinds([text]), self.subjects([text])
        return {"told": kind or "", "about": "" if kind == "asks" and subject not in TALK else subject or ""}


def _likeliest(weights: wide.Wide, texts: Sequence[str], labels: Sequence[str], least: float) -> list[str | None]:
    if not texts:
        return []
    logits = weights.logits(texts)
    best = logits.argmax(axis=1)
    sure = 1 / (1 + np.exp(-logits.max(axis=1))) > least
    return [labels[place] if known else None for place, known in zip(best, sure, strict=True)]


def load_reader(folder: Path) -> Reader | None:
    """The reader in a folder; None if there is none. ClassifierBroken if it is damaged."""
    try:
        weights = wide.read(folder, KINDS)
        subjects = wide.read(folder / SUBJECTS_IN, ABOUT)
    except (OSError, ValueError) as error:
        raise ClassifierBroken(f"what people tell cannot be read: {error}") from error
    if weights is None:
        return None
    digest = hashlib.sha256((folder / wide.FILE).read_bytes())
    if subjects is not None:
        digest.update((folder / SUBJECTS_IN / wide.FILE).read_bytes())
    return Reader(weights, digest.hexdigest()[:12], subjects)


@lru_cache(maxsize=8)
def reader_of(base: str) -> Reader | None:
    """The reader in a base model's folder, read once; None if there is none, or where `base` is no folder."""
    return load_reader(Path(base) / FOLDER) if base else None
