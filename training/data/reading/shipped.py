"""The seed corpus as rows: reader `seed`. Knows its parser and the presets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from storage.presets import Preset, Presets
from training.data import seed_corpus
from training.data.reading.records import BadRecord, Fault, Unreadable
from training.data.rows import Answer


def read(folder: Path | None, presets: Presets) -> Iterator[Answer | BadRecord]:
    """All replies with their presets' ids; tag `split` is `train` or `held_out`, by message."""
    try:
        rows = seed_corpus.load(folder)
    except seed_corpus.SeedError as error:
        place, _, reason = str(error).partition(": ")
        raise Unreadable(place, reason) from None
    for row in rows:
        place = f"{row.source}:{row.line}"
        preset = presets.find(row.emotion)
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


def files(folder: Path | None) -> list[Path]:
    """The corpus's files."""
    return sorted((folder or seed_corpus.FOLDER).glob("*.txt"))
