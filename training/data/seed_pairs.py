"""Preference pairs from the seed corpus: the reply in the asked emotion is better than one in another emotion.

Both replies answer the same message and were written by people, so nothing is invented; or, where the contrast is the
message, the worse one is a reply in the same emotion to something else. Knows nothing of methods.
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

Contrast = Literal["emotion", "intensity", "both", "message"]


def pairs(
    rows: Iterable[SeedRow], presets: Presets, per_reply: int = 1, contrast: Contrast = "emotion", seed: int = 0
) -> Iterator[Pair]:
    """Up to `per_reply` pairs for every reply, in the order of the messages.

    `contrast` says what the worse reply misses: the emotion, the intensity (same emotion), either, or the message (same
    emotion, intensity and register). The choice is a function of the message, the reply and `seed`, so that rows added
    elsewhere change nothing here, except where the message is the contrast: there the others are chosen from. Messages
    are on one side whole: tag `split` says on which, as `seed_corpus.split` does; a worse reply is of the same side.
    """
    rows = list(rows)
    elsewhere = _by_cell(rows) if contrast == "message" else {}
    named = {emotion: presets.find(emotion) for emotion in {row.emotion for row in rows}}
    for turns, replies in _by_message(rows).items():
        for row in replies:
            preset = named[row.emotion]
            if not isinstance(preset, Preset):
                raise ValueError(f"{row.source}:{row.line}: no preset is titled '{row.emotion}'")
            chooser = random.Random(f"{seed}:{row.message}:{row.emotion}:{row.intensity}:{row.reply}")
            if contrast == "message":
                others = _elsewhere(row, elsewhere, chooser, per_reply)
            else:
                others = [one for one in replies if one.reply != row.reply and _worse(one, row, contrast)]
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


def _by_cell(rows: Iterable[SeedRow]) -> dict[tuple[object, ...], list[SeedRow]]:
    found: dict[tuple[object, ...], list[SeedRow]] = defaultdict(list)
    for row in rows:
        found[_cell(row)].append(row)
    return dict(found)


def _cell(row: SeedRow) -> tuple[object, ...]:
    return row.emotion, row.intensity, row.register, row.held_out


def _elsewhere(
    row: SeedRow, cells: dict[tuple[object, ...], list[SeedRow]], chooser: random.Random, most: int
) -> list[SeedRow]:
    """A few rows of the same cell that answer another block; blocks are told apart by their replies' place."""
    drawn = chooser.sample(cells[_cell(row)], min(4 * most + 4, len(cells[_cell(row)])))
    return [one for one in drawn if (one.source, one.line) != (row.source, row.line)][:most]


def _worse(other: SeedRow, row: SeedRow, contrast: Contrast) -> bool:
    emotion = other.emotion != row.emotion
    intensity = not emotion and other.intensity != row.intensity
    return {"emotion": emotion, "intensity": intensity}.get(contrast, emotion or intensity)
