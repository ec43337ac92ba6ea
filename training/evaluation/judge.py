"""The second opinion on emotions: trained on other data than the classifier that picks candidates.

Rows: izard and goemotions (machine-translated), and the part of the seed corpus's training messages that the shipped
classifier has not seen; it has seen CEDR, both tracks of BRIGHTER and the posts. Nothing of it is shipped as weights.
"""

from __future__ import annotations

from pathlib import Path

from training.data import emotions
from training.data.emotion_sets import for_judges, gather
from training.data.emotions import Labelled
from training.evaluation.tfidf import TfIdf

# Machine translation is noisy and another domain: many rows, little trust in each.
TRUST = {"izard": 0.1, "goemotions": 0.15, "seed": 1.0}


def judge_rows(data: Path, seed_share: float) -> list[Labelled]:
    """What the judge learns from; disjoint from everything that the shipped classifier saw or is measured on."""
    rows = for_judges(seed_share)
    for name in ("izard", "goemotions"):
        rows += emotions.translated(data, name)
    theirs = [row for one in gather(data, seed_share, with_posts=True).values() for row in one]
    return emotions.without(rows, theirs)


def fit(data: Path, seed_share: float) -> TfIdf:
    """The fitted judge."""
    rows = judge_rows(data, seed_share)
    return TfIdf.fit(rows, [TRUST[row.source] for row in rows])
