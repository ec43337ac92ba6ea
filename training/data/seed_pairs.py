"""Preference pairs from the seed corpus: the reply in the asked emotion is better than one in another emotion.

Both replies answer the same message and were written by people, so nothing is invented. Knows nothing of methods.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from storage.contracts import Turn
from storage.presets import Preset, Presets
from training.data.rows import Pair
from training.data.seed_corpus import SeedRow

Contrast = Literal["emotion", "intensity", "both"]


def pairs(
    rows: Iterable[SeedRow], presets: Presets, per_reply: int = 1, contrast: Contrast = "emotion", seed: int = 0
) -> Iterator[Pair]:
    """Up to `per_reply` pairs for every reply, in the order of the messages.

    `contrast` says what the worse reply misses: the emotion, the intensity (same emotion), or either. The choice is a
    function of the message, the reply and `seed`, so that rows added elsewhere change nothing here. Messages are
    on one side whole: tag `split` says on which, as `seed_corpus.split` does.
    """
    for turns, replies in _by_message(rows).items():
        for row in replies:
            preset = presets.find(row.emotion)
            if not isinstance(preset, Preset):
                raise ValueError(f"{row.source}:{row.line}: no preset is titled '{row.emotion}'")
            others = [one for one in replies if one.reply != row.reply and _worse(one, row, contrast)]
            chooser = random.Random(f"{seed}:{row.message}:{row.emotion}:{row.intensity}:{row.reply}")
            for other in chooser.sample(others, min(per_reply, len(others))):
                yield Pair(
                    prompt=turns,
                    emotion=preset.id,
                    intensity=row.intensity,
                    chosen=row.reply,
                    rejected=other.reply,
                    origin=f"{row.source}:{row.line}",
                    tags={
                        "made_by": "seed_pairs",
                        "rejected_emotion": other.emotion,
                        "split": "held_out" if row.held_out else "train",
                    },
                )


def _by_message(rows: Iterable[SeedRow]) -> dict[tuple[Turn, ...], Sequence[SeedRow]]:
    found: dict[tuple[Turn, ...], list[SeedRow]] = defaultdict(list)
    for row in rows:
        found[row.turns].append(row)
    return dict(found)


def _worse(other: SeedRow, row: SeedRow, contrast: Contrast) -> bool:
    emotion = other.emotion != row.emotion
    intensity = not emotion and other.intensity != row.intensity
    return {"emotion": emotion, "intensity": intensity, "both": emotion or intensity}[contrast]
