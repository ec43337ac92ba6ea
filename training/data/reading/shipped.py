"""The seed corpus as answers or as preference pairs: reader `seed`. Knows its parser and the presets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from storage.presets import Preset, Presets
from training.data import seed_corpus, seed_pairs
from training.data.reading.records import BadRecord, Fault, Unreadable
from training.data.rows import Answer, Pair


def read(folder: Path | None, presets: Presets, wordings: bool = False) -> Iterator[Answer | BadRecord]:
    """All replies with their presets' ids, below each wording of their message if so wished.

    Tag `split` is `train` or `held_out`, by message.
    """
    rows = _load(folder, wordings)
    named = {emotion: presets.find(emotion) for emotion in {row.emotion for row in rows}}
    for row in rows:
        place = f"{row.source}:{row.line}"
        preset = named[row.emotion]
        if not isinstance(preset, Preset):
            yield BadRecord([Fault(place, "emotion", f"no preset is titled '{row.emotion}'")])
            continue
        yield Answer(
            prompt=row.turns,
            answer=row.reply,
            emotion=preset.id,
            intensity=row.intensity,
            origin=place,
            tags={
                "split": "held_out" if row.held_out else "train",
                "subject": row.subject,
                "register": row.register,
            },
        )


def pairs(
    folder: Path | None, presets: Presets, wordings: bool = False, contrast: seed_pairs.Contrast = "emotion"
) -> Iterator[Pair]:
    """Each reply as better than one that misses the contrast; tagged like the answers."""
    rows = _load(folder, wordings)
    try:
        yield from seed_pairs.pairs(rows, presets, contrast=contrast)
    except ValueError as error:
        place, _, reason = str(error).partition(": ")
        raise Unreadable(place, reason) from None


def files(folder: Path | None) -> list[Path]:
    """The corpus's files."""
    return sorted((folder or seed_corpus.FOLDER).glob("*.txt"))


def _load(folder: Path | None, wordings: bool) -> list[seed_corpus.SeedRow]:
    try:
        rows = seed_corpus.load(folder)
        return list(seed_corpus.reworded(rows)) if wordings else rows
    except seed_corpus.SeedError as error:
        place, _, reason = str(error).partition(": ")
        raise Unreadable(place, reason) from None
